"""WildDeepfake: sequences of face crops in tar archives, read without unpacking them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from data_prep.datasets import index
from data_prep.preparation.clip import Preparation
from data_prep.preparation.part_files import read_part
from data_prep.preparation.part_work import work
from data_prep.preparation.parts import plan
from data_prep.store.store import REAL

Frames = Iterator[npt.NDArray[np.uint8]]


def _archive(path: Path, *names: str, picture: bytes = b"", mode: str = "w") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(picture)
            archive.addfile(member, io.BytesIO(picture))


def _release(root: Path, below: str = "deepfake_in_the_wild", picture: bytes = b"") -> Path:
    for word in ("real", "fake"):
        for split in ("train", "test"):
            names = [f"6/{word}/{sequence}/{n}.png" for sequence in (54, 55) for n in range(4)]
            _archive(root / below / f"{word}_{split}" / "6.tar.gz", *names, picture=picture)
    return root


@pytest.mark.parametrize("below", ["", "deepfake_in_the_wild"])
def test_every_sequence_of_an_archive_is_a_video(below: str, tmp_path: Path) -> None:
    found = index(_release(tmp_path, below))
    assert (found.layout, found.problems, len(found.videos)) == ("WildDeepfake", (), 8)
    video = next(each for each in found.videos if each.key.endswith("real/unknown/test_6_54"))
    assert video.path == tmp_path / below / "real_test" / "6.tar.gz" / "6" / "real" / "54"
    assert (video.label, video.split, video.method) == (REAL, "test", "real")
    people = {each.identities for each in found.videos}
    assert people == {(f"{word} {s} 6",) for word in ("real", "fake") for s in ("train", "test")}


def test_an_unpacked_archive_is_read_once(tmp_path: Path) -> None:
    root = _release(tmp_path, "")
    folder = root / "real_test" / "6" / "real" / "54"
    folder.mkdir(parents=True)
    (folder / "0.png").touch()
    found = index(root)
    keys = [video.key for video in found.videos if "real/unknown/test" in video.key]
    assert keys == ["WildDeepfake/real/unknown/test_6_54"]


def test_a_damaged_and_a_misplaced_archive_are_problems(tmp_path: Path) -> None:
    root = _release(tmp_path, "")
    (root / "fake_test" / "7.tar.gz").write_bytes(b"no archive")
    _archive(root / "fake_test" / "8.tar.gz", "8/real/1/0.png")
    _archive(root / "fake_test" / "9.tar.gz", "9/notes.txt")
    found = index(root)
    assert len(found.videos) == 8
    assert {Path(each.path).relative_to(root).parts[1]: each.reason for each in found.problems} == {
        "7.tar.gz": "the archive is damaged or no tar archive (ReadError)",
        "8.tar.gz": "a sequence of real faces in fake_test; move the archive",
        "9.tar.gz": "no pictures in the archive",
    }


def test_archives_become_clips_and_nothing_is_unpacked(
    face_frames: Callable[..., Frames], tmp_path: Path
) -> None:
    frame = cv2.cvtColor(next(face_frames(1)), cv2.COLOR_RGB2BGR)
    picture = bytes(cv2.imencode(".png", frame)[1])
    source = tmp_path / "source"
    for word in ("real", "fake"):
        names = [f"6/{word}/54/{n}.png" for n in range(4)]
        _archive(source / f"{word}_test" / "6.tar.gz", *names, picture=picture)
    before = sorted(source.rglob("*"))
    parts = tmp_path / "parts"
    parts.mkdir()
    preparation = Preparation(frames=4, size=32)
    tasks, lost = plan(index(source).videos, parts, preparation)
    assert (len(tasks), lost) == (2, [])
    for task in tasks.values():
        assert work(task) == (task.part, None)
        (clip,) = read_part(task.part)
        assert (clip.frames.shape, clip.media.codec) == ((4, 32, 32, 4), "png")
    assert sorted(source.rglob("*")) == before
    assert len(list(parts.iterdir())) == 2
