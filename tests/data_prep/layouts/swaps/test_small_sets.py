"""FFIW-10K, KoDF, UADFV, DeepfakeTIMIT and DFDM: people, originals, methods and splits."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.datasets import DataSetIndex, index
from data_prep.store.store import FAKE, REAL

_ANNA, _BEN = "0123456789abcdef0123", "a" * 20


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def _originals(found: DataSetIndex) -> dict[str, str]:
    return {v.key: v.original.name for v in found.videos if v.original}


def _reasons(found: DataSetIndex) -> dict[str, str]:
    return {Path(each.path).name: each.reason for each in found.problems}


def test_ffiw(tmp_path: Path) -> None:
    names = ("source/train/00000001.mp4", "target/train/00000001.mp4", "source/val/00000001.mp4")
    root = _touch(tmp_path, *names, "target/test/test_00000002.mp4", "target_mask/train/1.mp4")
    found = index(root)
    assert (found.layout, found.problems) == ("FFIW-10K", ())
    assert {v.key: (v.label, v.split, v.identities) for v in found.videos} == {
        "FFIW-10K/real/unknown/train/00000001": (REAL, "train", ("train 00000001",)),
        "FFIW-10K/fake/unknown/train/00000001": (FAKE, "train", ("train 00000001",)),
        "FFIW-10K/real/unknown/val/00000001": (REAL, "val", ("val 00000001",)),
        "FFIW-10K/fake/unknown/test/00000002": (FAKE, "test", ("test 00000002",)),
    }
    assert _originals(found) == {}


def test_uadfv(tmp_path: Path) -> None:
    found = index(_touch(tmp_path, "real/0000.mp4", "real/0001.mp4", "fake/0000_fake.mp4"))
    assert (found.layout, found.problems) == ("UADFV", ())
    assert _originals(found) == {"UADFV/fake/unknown/0000_fake": "0000.mp4"}
    assert [v.identities for v in found.videos] == [("0000",), ("0000",), ("0001",)]


@pytest.mark.parametrize("other", ["real/anna.mp4", "fake/0001.mp4", "fake/1_fake.mp4"])
def test_folders_with_another_name_are_plain_folders(other: str, tmp_path: Path) -> None:
    root = _touch(tmp_path, "real/0000.mp4", "fake/0000_fake.mp4", other)
    assert index(root).layout == "folders"


def test_uadfv_as_frames(tmp_path: Path) -> None:
    root = _touch(tmp_path, "real/frames/0000/0.png", "fake/frames/0000_fake/0.png")
    found = index(root)
    assert (found.layout, found.stills) == ("UADFV", False)
    assert _originals(found) == {"UADFV/fake/unknown/0000_fake": "0000"}


def test_deepfake_timit(tmp_path: Path) -> None:
    fakes = [f"{q}_quality/fadg0/sa1-video-fram1.avi" for q in ("higher", "lower")]
    root = _touch(tmp_path, *fakes, "VidTIMIT/fadg0/sa1.avi", "VidTIMIT/fram1/video/sa1.avi")
    root = _touch(root, "higher_quality/fadg0/sa2.avi", "lower_quality/sa1-video-fram1.avi")
    found = index(root)
    assert found.layout == "DeepfakeTIMIT"
    assert {v.key: (v.label, v.identities) for v in found.videos} == {
        "DeepfakeTIMIT/faceswap-GAN/higher/fadg0/sa1-video-fram1": (FAKE, ("fadg0", "fram1")),
        "DeepfakeTIMIT/faceswap-GAN/lower/fadg0/sa1-video-fram1": (FAKE, ("fadg0", "fram1")),
        "DeepfakeTIMIT/real/unknown/fadg0/sa1": (REAL, ("fadg0",)),
        "DeepfakeTIMIT/real/unknown/fram1/sa1": (REAL, ("fram1",)),
    }
    fake = next(v for v in found.videos if v.label == FAKE)
    assert fake.original == root / "VidTIMIT/fadg0/sa1.avi"
    assert set(_reasons(found)) == {"sa2.avi", "sa1-video-fram1.avi"}


def test_dfdm(tmp_path: Path) -> None:
    root = _touch(
        tmp_path,
        "DFDM_crf23/DFaker/id28_id20_0008_4dfaker.mp4",
        "DFDM_crf0/id28_id20_0008_h128.mp4",
        "DFDM_crf0/DFL-H128/id28_id20_0008_h128.mp4",
        "Celeb-real/id28_0008.mp4",
        "DFDM_crf10/IAE/x.mp4",
    )
    found = index(root)
    assert found.layout == "DFDM"
    assert _originals(found) == {
        "DFDM/DFaker/c23/id28_id20_0008_4dfaker": "id28_0008.mp4",
        "DFDM/DFL-H128/c0/id28_id20_0008_h128": "id28_0008.mp4",
    }
    assert _reasons(found) == {
        "id28_id20_0008_h128.mp4": "no model in its path; expected one of DFaker, DFL-H128, "
        "FaceSwap, IAE, LightWeight",
        "x.mp4": "no identity in the name; expected one such as id28_id20_0008_4dfaker.mp4",
    }


def test_kodf_by_names(tmp_path: Path) -> None:
    root = _touch(
        tmp_path,
        f"real/{_ANNA}/{_ANNA}_001.mp4",
        f"fake/dffs/20200101/{_ANNA}/{_ANNA}_{_BEN}_2_0001.mp4",
        "fake/audio_driven/123456_654321_5_0001.mp4",
        "fake/fo/anna.mp4",
    )
    found = index(root)
    assert found.layout == "KoDF"
    assert {v.method: (v.label, v.identities) for v in found.videos} == {
        "real": (REAL, (_ANNA,)),
        "dffs": (FAKE, (_ANNA, _BEN)),
        "audio-driven": (FAKE, ("123456", "654321")),
    }
    assert _reasons(found) == {"anna.mp4": "no person in the name, and it is in no table"}


def test_kodf_by_the_tables_of_ai_hub(tmp_path: Path) -> None:
    root = _touch(tmp_path, "원본/x1.mp4", "변조/dfl/y1.mp4", f"변조/{_ANNA}_001.mp4")
    labels = root / "라벨링데이터"
    labels.mkdir()
    (labels / "원본영상_training_메타데이터.csv").write_text("영상ID,인물성별\nx1.mp4,여\n")
    (labels / "변조영상_training_메타데이터.csv").write_text(
        f"영상ID,타겟영상,변조모델\ny1.mp4,x1.mp4,dfl\n{_ANNA}_001.mp4,x1.mp4,dfl\n"
    )
    found = index(root)
    assert found.layout == "KoDF"
    real, fake = sorted(found.videos, key=lambda video: video.label)
    assert (real.split, dict(real.attributes)) == ("train", {"sex": "여"})
    assert (fake.method, fake.split, fake.original) == ("dfl", "train", real.path)
    assert real.identities == fake.identities == ("x1",)
    assert list(_reasons(found).values()) == ["its name and its table disagree whether it is real"]
