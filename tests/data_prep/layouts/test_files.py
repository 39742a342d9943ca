"""Folders are read whole, whatever lies in them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.errors import UserError
from data_prep.layouts.files import files, is_file, level, subfolders
from data_prep.store.store import Quarantined


def test_a_folder_whose_path_is_too_long_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    # A path has at most 4096 bytes; one folder in the other makes a longer one.
    deep = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=deep)
        deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = deeper
    os.close(deep)
    problems: list[Quarantined] = []
    assert files(tmp_path, problems, recursive=True) == [tmp_path / "a.mp4"]
    (problem,) = problems
    assert problem.reason == "cannot be read: File name too long"
    shutil.rmtree(tmp_path / ("d" * 250))


def test_a_folder_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    problems: list[Quarantined] = []
    assert files(tmp_path / "gone", problems, recursive=True) == []
    assert [problem.reason for problem in problems] == ["cannot be read: No such file or directory"]
    assert subfolders(tmp_path / "gone") == level(tmp_path / "gone", "x/", problems) == []


def test_folders_linked_in_circles_are_read_once_and_before_their_links(tmp_path: Path) -> None:
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "one.mp4").touch()
    (tmp_path / "a").symlink_to(tmp_path / "z")
    (tmp_path / "z" / "up").symlink_to(tmp_path)
    problems: list[Quarantined] = []
    assert files(tmp_path, problems, recursive=True) == [tmp_path / "z" / "one.mp4"]
    assert problems == []


def test_a_name_no_file_can_have_is_no_file(tmp_path: Path) -> None:
    assert not is_file(tmp_path / ("x" * 300))
    assert not is_file(tmp_path)
    (tmp_path / "a").touch()
    assert is_file(tmp_path / "a")


@pytest.mark.parametrize(
    "name",
    [
        *("$RECYCLE.BIN", "RECYCLER", "#recycle", "@eaDir", ".Trash-1000", ".Trashes"),
        *(".Spotlight-V100", "__MACOSX", ".ipynb_checkpoints", "System Volume Information"),
        "lost+found",
    ],
)
def test_deleted_files_and_copies_of_the_system_are_counted_and_not_read(
    name: str, tmp_path: Path
) -> None:
    for label in ("real", "fake"):
        for folder in (tmp_path / label, tmp_path / label / name / "S-1-5"):
            folder.mkdir(parents=True)
            (folder / "a.mp4").touch()
    found = index(tmp_path)
    assert [video.path for video in found.videos] == [
        tmp_path / "fake/a.mp4",
        tmp_path / "real/a.mp4",
    ]
    (problem,) = found.problems
    assert problem.path == str(tmp_path)
    assert problem.reason == (
        f"deleted files and copies made by the system, not read: 2, e.g. fake/{name}"
    )


def test_the_companions_of_macos_are_counted_and_not_read(tmp_path: Path) -> None:
    for label in ("real", "fake"):
        (tmp_path / label).mkdir()
        for name in ("a.mp4", "._a.mp4", ".hidden.mp4", "Thumbs.db"):
            (tmp_path / label / name).touch()
    found = index(tmp_path)
    assert [video.path.name for video in found.videos] == ["a.mp4", "a.mp4"]
    assert [problem.reason for problem in found.problems] == [
        "deleted files and copies made by the system, not read: 2, e.g. fake/._a.mp4"
    ]


def test_a_folder_of_deleted_files_is_read_if_it_is_named(tmp_path: Path) -> None:
    for label in ("real", "fake"):
        (tmp_path / "#recycle" / label).mkdir(parents=True)
        (tmp_path / "#recycle" / label / "a.mp4").touch()
    assert len(index(tmp_path / "#recycle").videos) == 2
    with pytest.raises(UserError, match="has no known layout"):
        index(tmp_path)
