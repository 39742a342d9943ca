"""A folder compared with the official lists in it and the published counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_prep.catalogue.check import Check, Count, check
from data_prep.errors import UserError

_PAIRS = {"train": ["071", "054"], "val": ["087", "081"], "test": ["001", "870"]}
_FAKES = "manipulated_sequences/Deepfakes/c23/videos"
_REALS = "original_sequences/youtube/c23/videos"


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.fixture
def forensics(tmp_path: Path) -> Path:
    """FaceForensics++ with lists of six people, all of them there."""
    for split, (first, second) in _PAIRS.items():
        _touch(tmp_path, f"{_REALS}/{first}.mp4", f"{_REALS}/{second}.mp4")
        _touch(tmp_path, f"{_FAKES}/{first}_{second}.mp4", f"{_FAKES}/{second}_{first}.mp4")
        (tmp_path / "splits").mkdir(exist_ok=True)
        (tmp_path / f"splits/{split}.json").write_text(json.dumps([[first, second]]))
    return tmp_path


def _lists(result: Check) -> tuple[tuple[str, ...], ...]:
    return result.missing, result.extra, result.mislabelled


def test_fewer_videos_than_published_are_not_whole(forensics: Path) -> None:
    result = check(forensics)
    assert result.layout == "FaceForensics++"
    assert _lists(result) == ((), (), ())
    assert [(each.label, each.videos, each.published) for each in result.counts] == [
        ("real", 6, (1000,)),
        ("fake", 6, (1000,)),
    ]
    assert [each.absent for each in result.counts] == [994, 994]
    assert not result.whole


def test_nothing_is_published_about_a_synthetic_data_set(forensics: Path) -> None:
    _touch(forensics, "SYNTHETIC.json")
    result = check(forensics)
    assert result.whole
    assert {each.published for each in result.counts} == {()}


def test_missing_extra_and_mislabelled_videos_are_named(forensics: Path) -> None:
    (forensics / _FAKES / "001_870.mp4").unlink()
    _touch(forensics, f"{_FAKES}/300_301.mp4", f"{_FAKES}/071.mp4")
    result = check(forensics)
    assert result.missing == ("Deepfakes/c23/001_870",)
    assert result.extra == ("Deepfakes/c23/300_301",)
    assert result.mislabelled == ("Deepfakes/c23/071",)


def test_a_test_list_that_contradicts_a_folder_is_reported(tmp_path: Path) -> None:
    _touch(tmp_path, "Celeb-real/id0_0000.mp4", "Celeb-synthesis/id0_id1_0000.mp4")
    (tmp_path / "List_of_testing_videos.txt").write_text("0 Celeb-real/id0_0000.mp4\n")
    result = check(tmp_path)
    assert (result.layout, result.whole) == (None, False)
    assert "labels" in result.contradiction
    assert json.loads(json.dumps(result.to_json()))["whole"] is False


def test_a_video_of_the_test_list_is_missing(tmp_path: Path) -> None:
    _touch(tmp_path, "Celeb-real/id0_0000.mp4", "Celeb-synthesis/id0_id1_0000.mp4")
    (tmp_path / "List_of_testing_videos.txt").write_text("1 YouTube-real/00170.mp4\n")
    assert check(tmp_path).missing == ("youtube-real/00170",)


def test_a_table_of_your_own_is_compared_too(tmp_path: Path) -> None:
    _touch(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "labels.csv").write_text("path,label\na.mp4,real\nc.mp4,fake\n")
    result = check(tmp_path)
    assert (result.missing, result.extra) == (("c.mp4",), ("b.mp4",))
    assert not result.whole


def test_all_videos_of_a_small_data_set_are_whole(tmp_path: Path) -> None:
    for number in range(49):
        _touch(tmp_path, f"real/{number:04}.mp4", f"fake/{number:04}_fake.mp4")
    assert check(tmp_path).whole
    (tmp_path / "fake/0048_fake.mp4").unlink()
    result = check(tmp_path)
    assert not result.whole
    assert [each.absent for each in result.counts if each.label == "fake"] == [1]


@pytest.mark.parametrize(("videos", "absent"), [(10, 398), (408, 0), (409, 481), (900, 0)])
def test_absent_videos_are_those_of_the_smallest_fitting_version(videos: int, absent: int) -> None:
    assert Count("real", "real", "unknown", videos, (408, 890)).absent == absent


def test_a_folder_that_is_no_data_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no known layout"):
        check(tmp_path)
