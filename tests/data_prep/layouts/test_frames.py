"""A folder of extracted frames is one video in every data set that DeepfakeBench preprocesses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.store.store import FAKE, REAL

_YOUTUBE, _FAKES = "original_sequences/youtube/c23", "manipulated_sequences/Deepfakes/c23"


def _frames(root: Path, *folders: str, count: int = 3) -> Path:
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (root / folder / f"{number:03}.png").touch()
    return root


@pytest.mark.parametrize("name", ["frames", "images"])
def test_face_forensics(name: str, tmp_path: Path) -> None:
    folders = (f"{_YOUTUBE}/{name}/071", f"{_YOUTUBE}/{name}/054", f"{_FAKES}/{name}/071_054")
    beside = (f"{_FAKES}/masks/071_054", f"{_FAKES}/landmarks/071_054")
    root = _frames(tmp_path, *folders, *beside)
    (root / "test.json").write_text('[["071", "054"]]')
    found = index(root)
    assert (found.layout, found.problems, found.stills) == ("FaceForensics++", (), False)
    fake = next(video for video in found.videos if video.label == FAKE)
    assert fake.key == "FaceForensics++/Deepfakes/c23/071_054"
    assert fake.path == root / folders[2]
    assert fake.original == root / folders[0]
    assert fake.identities == ("071", "054")
    assert [video.split for video in found.videos] == ["test"] * 3


@pytest.mark.parametrize("method", ["", "FaceSwap/SimSwap/"])
def test_celeb_df(method: str, tmp_path: Path) -> None:
    fake = f"Celeb-synthesis/{method}frames/id0_id1_0000"
    root = _frames(tmp_path, "Celeb-real/frames/id0_0000", "YouTube-real/frames/00170", fake)
    (root / "List_of_testing_videos.txt").write_text(
        f"0 Celeb-synthesis/{method}id0_id1_0000.mp4\n1 YouTube-real/00170.mp4\n"
    )
    found = index(root)
    assert (len(found.videos), found.problems) == (3, ())
    swap = next(video for video in found.videos if video.label == FAKE)
    assert (swap.path, swap.split) == (root / fake, "test")
    assert swap.original == root / "Celeb-real/frames/id0_0000"
    assert {v.path.name: v.split for v in found.videos if v.label == REAL} == {
        "id0_0000": None,
        "00170": "test",
    }


def test_dfdc_and_its_test_set(tmp_path: Path) -> None:
    root = _frames(tmp_path, "train/dfdc_train_part_0/frames/x", "train/dfdc_train_part_0/frames/y")
    _frames(root, "test/frames/z")
    entries = {
        "x.mp4": {"label": "FAKE", "original": "y.mp4"},
        "y.mp4": {"label": "REAL"},
        "gone.mp4": {"label": "REAL"},
    }
    part = root / "train" / "dfdc_train_part_0"
    (part / "metadata.json").write_text(json.dumps(entries))
    (root / "test" / "labels.csv").write_text("filename,label\nz.mp4,1\n")
    found = index(root)
    assert found.layout == "DFDC"
    videos = {video.path.name: video for video in found.videos}
    assert videos["x"].original == part / "frames" / "y"
    assert (videos["z"].label, videos["z"].split) == (FAKE, "test")
    assert [entry.reason for entry in found.problems] == [
        "videos listed but missing: 1, e.g. gone.mp4"
    ]


def test_dfdc_preview(tmp_path: Path) -> None:
    root = _frames(tmp_path, "method_A/frames/2_1_A_001", "original_videos/frames/1_A_001")
    entries = {
        "method_A/1/1_A/2_1_A_001.mp4": {"label": "fake", "set": "test"},
        "original_videos/1/1_A_001.mp4": {"label": "real", "set": "train"},
    }
    (root / "dataset.json").write_text(json.dumps(entries))
    found = index(root)
    assert (found.layout, found.problems) == ("DFDC-preview", ())
    assert {video.key: video.path.parent.parent.name for video in found.videos} == {
        "DFDC-preview/method_A/unknown/2_1_A_001": "method_A",
        "DFDC-preview/real/unknown/1_A_001": "original_videos",
    }


def test_deeper_forensics(tmp_path: Path) -> None:
    root = _frames(
        tmp_path, f"{_YOUTUBE}/frames/000", "manipulated_videos/end_to_end/frames/000_M101"
    )
    found = index(root)
    assert (found.layout, found.problems) == ("DeeperForensics-1.0", ())
    fake = next(video for video in found.videos if video.label == FAKE)
    assert fake.original == root / _YOUTUBE / "frames" / "000"


def test_frames_beside_videos_are_not_read_twice(tmp_path: Path) -> None:
    root = _frames(tmp_path, f"{_YOUTUBE}/frames/071", f"{_FAKES}/frames/071_054")
    for folder, name in ((_YOUTUBE, "071"), (_FAKES, "071_054")):
        (root / folder / "videos").mkdir()
        (root / folder / "videos" / f"{name}.mp4").touch()
    assert [video.path.suffix for video in index(root).videos] == [".mp4", ".mp4"]


def test_a_folder_without_frames_is_one_line(tmp_path: Path) -> None:
    root = _frames(tmp_path, f"{_YOUTUBE}/frames/071")
    for name in ("072", "073"):
        (root / _YOUTUBE / "frames" / name).mkdir()
    (problem,) = index(root).problems
    assert problem.reason == "folders of frames without pictures: 2, e.g. frames/072"


def test_a_table_names_a_folder_of_frames(tmp_path: Path) -> None:
    root = _frames(tmp_path, "a/1", "a/2")
    (root / "a" / "empty").mkdir()
    (root / "labels.csv").write_text("path,label\na/1,real\na/2,fake\na/empty,fake\n")
    found = index(root)
    assert {video.path: video.label for video in found.videos} == {
        root / "a" / "1": REAL,
        root / "a" / "2": FAKE,
    }
    (problem,) = found.problems
    assert problem.reason == "videos listed but missing: 1, e.g. a/empty"
