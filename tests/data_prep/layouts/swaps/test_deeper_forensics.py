"""DeeperForensics-1.0: fakes by variant, FaceForensics++ originals as reals."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.errors import UserError
from data_prep.splits.splits import assign, identity_groups
from data_prep.store.store import FAKE, REAL

_REALS = "original_sequences/youtube/c23/videos"


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def _deeper(root: Path) -> Path:
    return _touch(
        root,
        "manipulated_videos/end_to_end/000_M101.mp4",
        "manipulated_videos/end_to_end/001_W006.mp4",
        "manipulated_videos/end_to_end/002_M102.mp4",
        "manipulated_videos/end_to_end/003_M101.mp4",
        "manipulated_videos/end_to_end_level_1/000_M101.mp4",
        *(f"{_REALS}/00{n}.mp4" for n in range(4)),
        "original_sequences/youtube/raw/videos/000.mp4",
        "source_videos/M101/light_up/surprise/camera_down/M101_light_up_surprise_camera_down.mp4",
    )


def _lists(root: Path, **names: str) -> None:
    folder = root / "lists" / "splits"
    folder.mkdir(parents=True)
    for split, text in names.items():
        (folder / f"{split}.txt").write_text(text)


def test_variants_are_methods_and_originals_are_the_reals(tmp_path: Path) -> None:
    found = index(_deeper(tmp_path))
    assert (found.layout, found.problems) == ("DeeperForensics-1.0", ())
    assert {video.key: (video.label, video.identities) for video in found.videos} == {
        "DeeperForensics-1.0/end_to_end/unknown/000_M101": (FAKE, ("000", "M101")),
        "DeeperForensics-1.0/end_to_end/unknown/001_W006": (FAKE, ("001", "W006")),
        "DeeperForensics-1.0/end_to_end/unknown/002_M102": (FAKE, ("002", "M102")),
        "DeeperForensics-1.0/end_to_end/unknown/003_M101": (FAKE, ("003", "M101")),
        "DeeperForensics-1.0/end_to_end_level_1/unknown/000_M101": (FAKE, ("000", "M101")),
        "DeeperForensics-1.0/real/c23/000": (REAL, ("000",)),
        "DeeperForensics-1.0/real/c23/001": (REAL, ("001",)),
        "DeeperForensics-1.0/real/c23/002": (REAL, ("002",)),
        "DeeperForensics-1.0/real/c23/003": (REAL, ("003",)),
    }


def test_a_fake_knows_its_target(tmp_path: Path) -> None:
    root = _touch(_deeper(tmp_path), "manipulated_videos/end_to_end/777_M101.mp4")
    originals = {v.key.partition("/")[2]: v.original for v in index(root).videos if v.label == FAKE}
    assert originals.pop("end_to_end/unknown/777_M101") is None
    for name, original in originals.items():
        assert original == root / _REALS / f"{name.rpartition('/')[2][:3]}.mp4"


def test_videos_beside_the_variants_are_problems(tmp_path: Path) -> None:
    (problem,) = index(_touch(_deeper(tmp_path), "manipulated_videos/001_M101.mp4")).problems
    assert problem.reason == "expected below manipulated_videos/<variant>/"


def test_all_targets_of_an_actor_are_one_group(tmp_path: Path) -> None:
    groups = identity_groups(index(_deeper(tmp_path)).videos)
    assert groups["DeeperForensics-1.0/real/c23/003"] == groups["DeeperForensics-1.0/real/c23/000"]
    assert len(set(groups.values())) == 3


def test_official_lists_reach_every_variant_and_the_reals(tmp_path: Path) -> None:
    root = _deeper(tmp_path)
    _lists(root, train="000_M101.mp4\n003_M101.mp4\n", val="001_W006.mp4\n", test="002_M102.mp4\n")
    made = assign(index(root).videos)
    assert (made.policy, made.overlap) == ("official", ())
    of_name: dict[str, set[str]] = {}
    for key, split in made.splits.items():
        of_name.setdefault(key.rpartition("/")[2][:3], set()).add(split)
    assert of_name == {"000": {"train"}, "003": {"train"}, "001": {"val"}, "002": {"test"}}


def test_lists_that_divide_an_actor_are_not_taken_unasked(tmp_path: Path) -> None:
    root = _deeper(tmp_path)
    _lists(root, train="000_M101.mp4\n", val="001_W006.mp4\n", test="002_M102.mp4\n003_M101.mp4\n")
    made = assign(index(root).videos)
    assert made.policy == "identity"
    assert "divide 1 identity group" in made.note


def test_missing_originals_are_asked_for(tmp_path: Path) -> None:
    root = _touch(tmp_path, "manipulated_videos/end_to_end/000_M101.mp4")
    with pytest.raises(UserError, match=f"has no reals: expected {_REALS}/ beside manip"):
        index(root)


def test_a_name_without_target_and_actor_is_a_problem(tmp_path: Path) -> None:
    root = _touch(_deeper(tmp_path), "manipulated_videos/end_to_end/new.mp4")
    (problem,) = index(root).problems
    assert problem.reason == "no target and actor in the name; expected one such as 000_M101.mp4"


@pytest.mark.parametrize(
    "lists, reason",
    [
        ({"train": "[[1, 2]]"}, r"train\.txt is damaged: found '\[\[1,', expected names such as"),
        (
            {"train": "000_M101.mp4", "test": "000_M101.mp4"},
            "000_M101 is in two official splits, train and test",
        ),
    ],
)
def test_damaged_lists_are_one_clear_line(
    lists: dict[str, str], reason: str, tmp_path: Path
) -> None:
    root = _deeper(tmp_path)
    _lists(root, **lists)
    with pytest.raises(UserError, match=reason):
        index(root)
