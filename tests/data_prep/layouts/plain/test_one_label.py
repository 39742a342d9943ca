"""Folders of reals alone, or of fakes alone."""

from __future__ import annotations

import collections
from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.errors import UserError
from data_prep.splits.splits import identity_groups
from data_prep.store.store import FAKE, REAL


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize("label, word", [(REAL, "real"), (FAKE, "fake")])
def test_every_video_is_of_the_label(label: int, word: str, tmp_path: Path) -> None:
    root = _touch(tmp_path / "d", "a.mp4", "deep/er/b.mov", "deep/x.jpg", "notes.txt")
    found = index(root, label=label)
    assert (found.layout, found.stills) == ("one label", False)
    assert {video.key: (video.label, video.method) for video in found.videos} == {
        f"d/{word}/unknown/a": (label, word),
        f"d/{word}/unknown/deep/er/b": (label, word),
    }
    (problem,) = found.problems
    assert problem.reason == "pictures in a data set of videos: 1, e.g. deep/x.jpg"


def test_without_videos_every_picture_is(tmp_path: Path) -> None:
    found = index(_touch(tmp_path, "a.jpg", "b/c.png"), label=REAL)
    assert (found.stills, len(found.videos)) == (True, 2)


def test_a_folder_of_that_label_is_none_of_the_name(tmp_path: Path) -> None:
    root = _touch(tmp_path, "real/a.mp4", "more/b.mp4")
    assert [video.label for video in index(root, label=REAL).videos] == [REAL, REAL]


def test_a_folder_of_the_other_label_is_not_overruled(tmp_path: Path) -> None:
    root = _touch(tmp_path, "real/a.mp4", "fake/b.mp4")
    with pytest.raises(UserError, match=r"cannot be all real: its folders label 1 files otherwise"):
        index(root, label=REAL)


def test_a_data_set_of_one_kind_keeps_its_people(tmp_path: Path) -> None:
    root = _touch(tmp_path, "Celeb-real/id0_0000.mp4", "Celeb-real/id0_0001.mp4")
    found = index(root, label=REAL)
    assert (found.layout, {v.identities for v in found.videos}) == ("Celeb-DF", {("id0",)})
    with pytest.raises(UserError, match=r"has the layout Celeb-DF with videos of both labels"):
        index(root, label=FAKE)


def test_a_layout_that_is_named_is_kept(tmp_path: Path) -> None:
    root = _touch(tmp_path, "real/a.mp4", "b.mp4")
    assert [v.path.name for v in index(root, "folders", REAL).videos] == ["a.mp4"]
    with pytest.raises(UserError, match="does not have the layout Celeb-DF"):
        index(root, "Celeb-DF", REAL)


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no video in"):
        index(_touch(tmp_path, "notes.txt"), label=REAL)


def test_real_clips_are_grouped_by_person_where_names_tell(real_data: Path) -> None:
    found = index(real_data / "real_clips", label=REAL)
    assert (len(found.videos), found.problems) == (35, ())
    groups = collections.Counter(identity_groups(found.videos).values())
    assert {name: count for name, count in groups.items() if count > 1} == {
        "M030": 8,
        "W009": 8,
        "W011": 8,
    }
    assert len(groups) == 3 + 11


def test_real_people_of_a_folder_each_are_groups(real_data: Path) -> None:
    found = index(real_data / "faces_lfw", label=REAL)
    groups = collections.Counter(identity_groups(found.videos).values())
    assert (found.stills, len(groups), set(groups.values())) == (True, 150, {2})
