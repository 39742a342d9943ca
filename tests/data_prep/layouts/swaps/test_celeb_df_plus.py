"""Celeb-DF++: the reals of Celeb-DF with fakes of 22 methods in three scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.errors import UserError
from data_prep.store.store import FAKE, REAL

_METHODS = {
    "FaceSwap": (
        *("Celeb-DF", "BlendFace", "GHOST", "HifiFace", "InSwapper", "MobileFaceSwap"),
        *("SimSwap", "UniFace"),
    ),
    "FaceReenact": ("DaGAN", "FSRT", "HyperReenact", "LIA", "LivePortrait", "MCNET", "TPSMM"),
    "TalkingFace": (
        *("AniTalker", "EchoMimic", "EDTalk", "FLOAT", "IP_LAP", "Real3DPortrait", "SadTalker"),
    ),
}
_LIST = (
    "1 YouTube-real/00170.mp4\n"
    "0 Celeb-synthesis/FaceSwap/SimSwap/id0_id1_0000.mp4\n"
    "0 Celeb-synthesis/TalkingFace/IP_LAP/id0_0000_test_00012.mp4\n"
)


def _file(scenario: str, method: str) -> str:
    name = "id0_0000_test_00012" if scenario == "TalkingFace" else "id0_id1_0000"
    return f"Celeb-synthesis/{scenario}/{method}/{name}.mp4"


def _celeb_df_plus(root: Path, *more: str, listed: str | None = _LIST) -> Path:
    names = [_file(scenario, method) for scenario, found in _METHODS.items() for method in found]
    reals = ("Celeb-real/id0_0000.mp4", "Celeb-real/id1_0000.mp4", "YouTube-real/00170.mp4")
    for name in (*reals, *names, *more):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    if listed is not None:
        (root / "List_of_testing_videos.txt").write_text(listed)
    return root


@pytest.mark.parametrize("listed", [_LIST, None])
def test_every_method_is_its_own_with_and_without_the_test_list(
    listed: str | None, tmp_path: Path
) -> None:
    found = index(_celeb_df_plus(tmp_path, listed=listed))
    assert (found.layout, found.problems) == ("Celeb-DF++", ())
    methods = {method for several in _METHODS.values() for method in several}
    assert len(methods) == 22
    assert {video.method for video in found.videos if video.label == FAKE} == methods
    assert sum(video.label == REAL for video in found.videos) == 3


def test_a_talking_face_shows_one_person_and_the_others_two(tmp_path: Path) -> None:
    root = _celeb_df_plus(tmp_path)
    fakes = {video.method: video for video in index(root).videos if video.label == FAKE}
    assert fakes["SimSwap"].identities == ("id0", "id1")
    assert fakes["LIA"].identities == ("id0", "id1")
    assert fakes["FLOAT"].identities == ("id0",)
    assert {video.original for video in fakes.values()} == {root / "Celeb-real" / "id0_0000.mp4"}
    assert fakes["SimSwap"].key == "Celeb-DF++/SimSwap/unknown/id0_id1_0000"


def test_the_test_list_names_a_video_by_scenario_and_method(tmp_path: Path) -> None:
    root = _celeb_df_plus(tmp_path, "Celeb-synthesis/FaceSwap/SimSwap/videos/id1_id0_0000.mp4")
    tested = {video.key for video in index(root).videos if video.split == "test"}
    assert tested == {
        "Celeb-DF++/SimSwap/unknown/id0_id1_0000",
        "Celeb-DF++/IP_LAP/unknown/id0_0000_test_00012",
        "Celeb-DF++/real/unknown/00170",
    }


@pytest.mark.parametrize(
    "line", ["0 Celeb-synthesis/id0_id1_0000.mp4", "0 Celeb-synthesis/FaceSwap/id0_id1_0000.mp4"]
)
def test_a_test_list_of_another_version_is_damaged(line: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 1 is .*FaceSwap/SimSwap/id0_id1_0000\.mp4"):
        index(_celeb_df_plus(tmp_path, listed=line))


def test_a_fake_outside_a_method_is_a_problem(tmp_path: Path) -> None:
    names = ("id0_id1_0000.mp4", "FaceSwap/id0_id1_0001.mp4", "FaceSwap/GHOST/ghost.mp4")
    found = index(_celeb_df_plus(tmp_path, *(f"Celeb-synthesis/{name}" for name in names)))
    place = "no scenario and method; expected it below Celeb-synthesis/<scenario>/<method>/"
    assert {Path(entry.path).name: entry.reason for entry in found.problems} == {
        "id0_id1_0000.mp4": place,
        "id0_id1_0001.mp4": place,
        "ghost.mp4": "no identity in the name; expected one such as id0_id1_0000.mp4",
    }
