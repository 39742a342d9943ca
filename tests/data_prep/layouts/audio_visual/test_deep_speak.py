"""DeepSpeak: tables of reals, fakes and splits; videos in any folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.datasets import index
from data_prep.store.store import FAKE, REAL

_FAKES = {
    "1.1": (
        "facefusion--10-11--4100-4897--0.mp4",
        "video-file,kind,engine\nfacefusion--10-11--4100-4897--0.mp4,face-swap,FaceFusion\n",
    ),
    "2.0": (
        "facefusion-4100-4897-playht.mp4",
        "video-file,kind,engine,identity-source,identity-target,recording-target,audio-config\n"
        "facefusion-4100-4897-playht.mp4,face-swap,facefusion,10,11,4897,playht\n",
    ),
}


def _deep_speak(root: Path, version: str) -> Path:
    fake, table = _FAKES[version]
    for name in ("11-4897.mp4", "12-1.mp4", fake):
        (root / "videos").mkdir(exist_ok=True)
        (root / "videos" / name).touch()
    (root / "annotations-fake.csv").write_text(table)
    (root / "annotations-real.csv").write_text(
        "video-file,identity,script-type\n11-4897.mp4,11,scripted\n12-1.mp4,12,\ngone.mp4,13,\n"
    )
    (root / "annotations-split-def.csv").write_text("identity,split\n10,train\n11,train\n12,test\n")
    return root


@pytest.mark.parametrize("version", _FAKES)
def test_people_originals_splits_and_attributes(version: str, tmp_path: Path) -> None:
    root = _deep_speak(tmp_path, version)
    (root / "videos" / "unknown.mp4").touch()
    found = index(root)
    assert found.layout == "DeepSpeak"
    fake = next(video for video in found.videos if video.label == FAKE)
    assert (fake.method, fake.split, fake.identities) == (
        "facefusion",
        "train",
        ("person 11", "person 10"),
    )
    assert fake.original == root / "videos" / "11-4897.mp4"
    assert fake.attributes["kind"] == "face-swap"
    reals = {v.path.name: (v.split, dict(v.attributes)) for v in found.videos if v.label == REAL}
    assert reals == {
        "11-4897.mp4": ("train", {"script-type": "scripted"}),
        "12-1.mp4": ("test", {}),
    }
    assert [each.reason for each in found.problems] == [
        "videos listed but missing: 1, e.g. gone.mp4",
        "videos present but not listed: 1, e.g. unknown.mp4",
    ]


def test_without_the_split_table_there_is_no_split(tmp_path: Path) -> None:
    root = _deep_speak(tmp_path, "1.1")
    (root / "annotations-split-def.csv").unlink()
    found = index(root)
    assert {video.split for video in found.videos} == {None}
    assert "it is missing: no official split" in [each.reason for each in found.problems]
