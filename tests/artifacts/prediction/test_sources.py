"""Files, folders and patterns become the files to judge, and these get names for their videos."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from artifacts.prediction.sources import find_sources, name_outputs
from data_prep.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.mp4", "a.MOV", "still.png", "notes.txt", ".hidden.mp4", "deep/er/c.webm"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "clips"


def _names(paths: list[Path], folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in paths]


def test_a_folder_stands_for_the_videos_and_pictures_in_it(folder: Path) -> None:
    found = _names(find_sources([folder]), folder)
    assert found == ["a.MOV", "b.mp4", "deep/er/c.webm", "still.png"]


def test_a_pattern_stands_for_what_it_means(folder: Path) -> None:
    assert _names(find_sources([folder / "*.[mM]*"]), folder) == ["a.MOV", "b.mp4"]
    assert _names(find_sources([folder / "**" / "*.webm"]), folder) == ["deep/er/c.webm"]


def test_a_file_is_itself_whatever_its_name(folder: Path) -> None:
    odd = folder / "take [1]*.txt"
    odd.touch()
    assert find_sources([odd, folder / "b.mp4"]) == [odd, folder / "b.mp4"]


def test_what_stands_for_nothing_stays(tmp_path: Path) -> None:
    nothing = [tmp_path, tmp_path / "none.mp4", tmp_path / "*.mp4"]
    assert find_sources(nothing) == nothing


def test_links_in_circles_end(folder: Path) -> None:
    (folder / "deep" / "up").symlink_to(folder)
    assert len(find_sources([folder])) == 4


def test_one_video_is_annotated_in_a_file_or_a_folder(tmp_path: Path, folder: Path) -> None:
    video = folder / "b.mp4"
    assert name_outputs(tmp_path / "out.mp4", [video]) == {video: tmp_path / "out.mp4"}
    assert name_outputs(tmp_path / "new", [video]) == {video: tmp_path / "new" / "b.mp4"}
    assert (tmp_path / "new").is_dir()


def test_videos_of_one_name_are_annotated_in_files_of_several(tmp_path: Path) -> None:
    files = [tmp_path / "x" / "b.mp4", tmp_path / "y" / "b.mov", tmp_path / "b.avi"]
    names = [path.name for path in name_outputs(tmp_path / "out", files).values()]
    assert names == ["b.mp4", "b-2.mp4", "b-3.mp4"]


def test_no_file_is_annotated_where_another_lies(tmp_path: Path) -> None:
    for name in ("x/b.mp4", "y/b.mp4", "IMG_1.jpg", "IMG_1.mp4", "take.mov", "take.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def dealt(out: str, *names: str) -> list[str]:
        found = name_outputs(tmp_path / out, [tmp_path / name for name in names])
        return [str(path.relative_to(tmp_path)) for path in found.values()]

    assert dealt("y", "x/b.mp4", "y/b.mp4") == ["y/b-2.mp4", "y/b-3.mp4"]
    assert dealt(".", "IMG_1.jpg", "IMG_1.mp4") == ["IMG_1-2.mp4", "IMG_1-3.mp4"]
    # One that nobody named is not replaced either.
    assert dealt(".", "take.mov") == ["take-2.mp4"]
    (tmp_path / "y" / "link.mp4").symlink_to(tmp_path / "x" / "b.mp4")
    (tmp_path / "y" / "link-2.mp4").mkdir()
    assert dealt("y", "x/b.mp4", "link.avi") == ["y/b-2.mp4", "y/link-3.mp4"]


def test_a_name_that_cannot_be_written_is_refused(tmp_path: Path, folder: Path) -> None:
    video, other = folder / "b.mp4", folder / "a.MOV"
    with pytest.raises(UserError, match="one video, and there are 2"):
        name_outputs(tmp_path / "out.mp4", [video, other])
    with pytest.raises(UserError, match=r"is an MP4; name it OUT\.mp4"):
        name_outputs(tmp_path / "out.avi", [video])
    with pytest.raises(UserError, match="there is no folder"):
        name_outputs(tmp_path / "none" / "out.mp4", [video])
    with pytest.raises(UserError, match="would replace"):
        name_outputs(video, [video])
    with pytest.raises(UserError, match="would replace"):
        name_outputs(video, [other])
    with pytest.raises(UserError, match="name another folder"):
        name_outputs(video / "out", [video])


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_is_read_only_is_refused(tmp_path: Path, folder: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(UserError, match="cannot be written to"):
        name_outputs(locked / "out.mp4", [folder / "b.mp4"])
