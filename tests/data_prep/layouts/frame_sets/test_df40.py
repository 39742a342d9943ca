"""DF40: methods in two domains as frames, videos or pictures, with the reals of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.store.store import FAKE, REAL

_YOUTUBE = "FaceForensics++/original_sequences/youtube/c23"


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def _frames(root: Path, *folders: str) -> Path:
    return _touch(root, *(f"{folder}/{number:03}.png" for folder in folders for number in range(3)))


def _df40(root: Path) -> Path:
    return _frames(
        root,
        "test/simswap/ff/frames/071_054",
        "test/simswap/cdf/frames/id0_id1_0000",
        # An archive unpacked into a folder of its own name.
        "test/blendface/blendface/cdf/frames/id0_id1_0000",
        "train/simswap/ff/frames/000_003",
        "test/sadtalker/ff/frames/071",
        f"real/{_YOUTUBE}/frames/071",
        f"real/{_YOUTUBE}/frames/054",
        "real/Celeb-DF-v2/Celeb-real/frames/id0_0000",
        "real/Celeb-DF-v2/YouTube-real/frames/00170",
    )


def test_methods_domains_splits_people_and_originals(tmp_path: Path) -> None:
    root = _df40(tmp_path)
    found = index(root)
    assert (found.layout, found.problems, found.stills) == ("DF40", (), False)
    assert {video.key: (video.split, video.identities) for video in found.videos} == {
        "DF40/simswap/ff/071_054": ("test", ("071", "054")),
        "DF40/simswap/ff/000_003": ("train", ("000", "003")),
        "DF40/simswap/cdf/id0_id1_0000": ("test", ("id0", "id1")),
        "DF40/blendface/cdf/id0_id1_0000": ("test", ("id0", "id1")),
        "DF40/sadtalker/ff/071": ("test", ("071",)),
        "DF40/real/ff/071": (None, ("071",)),
        "DF40/real/ff/054": (None, ("054",)),
        "DF40/real/cdf/id0_0000": (None, ("id0",)),
        "DF40/real/cdf/00170": (None, ("YouTube 00170",)),
    }
    assert {video.label for video in found.videos if video.method == "real"} == {REAL}
    originals = {video.key: video.original for video in found.videos if video.label == FAKE}
    assert originals["DF40/simswap/ff/071_054"] == root / "real" / _YOUTUBE / "frames" / "071"
    assert originals["DF40/blendface/cdf/id0_id1_0000"] == (
        root / "real" / "Celeb-DF-v2" / "Celeb-real" / "frames" / "id0_0000"
    )
    assert originals["DF40/simswap/ff/000_003"] is None


@pytest.mark.parametrize("name", ["sd2.1", "StyleGAN-XL", "MidJourney", "PixArt", "RDDM"])
def test_names_of_methods_may_have_signs_and_any_case(name: str, tmp_path: Path) -> None:
    found = index(_touch(tmp_path, f"{name}/ff/0.png", f"{name}/ff/1.png"))
    assert (found.layout, found.stills, len(found.videos)) == ("DF40", True, 2)
    assert {video.method for video in found.videos} == {name}


def test_the_original_videos_are_read_in_place_of_frames(tmp_path: Path) -> None:
    found = index(_touch(tmp_path, "simswap/ff/071_054.mp4", "fsgan/cdf/videos/id0_id1_0000.mp4"))
    assert [video.key for video in found.videos] == [
        "DF40/fsgan/cdf/id0_id1_0000",
        "DF40/simswap/ff/071_054",
    ]


def test_methods_with_reals_of_their_own(tmp_path: Path) -> None:
    root = _frames(tmp_path, "heygen/fake/frames/a", "heygen/real/frames/b")
    root = _touch(root, "stargan/fake/1.jpg", "stargan/real/2.jpg")
    found = index(root)
    assert {video.key: video.label for video in found.videos} == {
        "DF40/heygen/unknown/a": FAKE,
        "DF40/real/unknown/b": REAL,
    }
    (problem,) = found.problems
    assert problem.reason.startswith("pictures in a data set of videos: 2")


def test_a_folder_of_a_method_with_real_and_fake_is_a_plain_folder(tmp_path: Path) -> None:
    found = index(_touch(tmp_path, "faceswap/real/a.mp4", "faceswap/fake/a.mp4"))
    assert found.layout == "folders"


def test_fakes_of_another_data_set_beside_it_are_a_problem(tmp_path: Path) -> None:
    fakes = "FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/071_054"
    root = _frames(tmp_path, "simswap/ff/frames/071_054", fakes)
    (problem,) = index(root).problems
    assert problem.path == str(root / "FaceForensics++" / "manipulated_sequences")
