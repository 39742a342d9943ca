"""Extracted frames are read as a video, from a folder or out of a tar archive."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from data_prep.errors import VideoError
from data_prep.preparation.clip import Preparation, prepare_clips
from data_prep.preparation.part_work import identity
from data_prep.video import audio, frame_folders
from data_prep.video.frame_folders import archive_folders, hash_content
from data_prep.video.video import read_frames

Frames = Iterator[npt.NDArray[np.uint8]]


def _picture(level: int, size: tuple[int, int] = (8, 12)) -> bytes:
    return bytes(cv2.imencode(".png", np.full((*size, 3), level, np.uint8))[1])


def _tar(path: Path, mode: str, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def _files(count: int = 12) -> dict[str, bytes]:
    # Without leading zeros, so the order of names is not the order of numbers.
    return {f"./7/fake/54/{number}.png": _picture(number) for number in range(count)}


def _place(tmp_path: Path, kind: str) -> Path:
    if kind == "folder":
        folder = tmp_path / "7" / "fake" / "54"
        folder.mkdir(parents=True)
        for name, content in _files().items():
            (folder / Path(name).name).write_bytes(content)
        (folder / "notes.txt").touch()
        return folder
    # The archives of WildDeepfake are called .tar.gz and are not compressed.
    return _tar(tmp_path / "7.tar.gz", kind, _files()) / "7" / "fake" / "54"


@pytest.mark.parametrize("kind", ["folder", "w", "w:gz", "w:xz"])
def test_frames_are_spread_over_the_folder_in_the_order_of_their_numbers(
    kind: str, tmp_path: Path
) -> None:
    path = _place(tmp_path, kind)
    sampled = read_frames(path, 4)
    assert sampled.indices.tolist() == [1, 4, 7, 10]
    assert [int(frame[0, 0, 0]) for frame in sampled.frames] == [1, 4, 7, 10]
    media = sampled.media
    assert (media.codec, media.width, media.height, media.frames) == ("png", 12, 8, 12)
    assert (media.fps, media.duration, sampled.times.tolist()) == (0.0, 0.0, [0.0] * 4)
    at = np.array([0, 2, 3, 11])
    assert read_frames(path, 4, positions=at).indices.tolist() == at.tolist()
    assert read_frames(path, 4, positions=at + 1).indices.tolist() == [1, 4, 7, 10]


def test_a_folder_and_its_archive_have_the_same_content(tmp_path: Path) -> None:
    folder, packed = _place(tmp_path / "a", "folder"), _place(tmp_path / "b", "w")
    assert hash_content(folder) == hash_content(packed)
    assert audio.log_mel(packed, np.zeros(4))[1] is False


def test_a_changed_frame_is_another_state(tmp_path: Path) -> None:
    folder = _place(tmp_path, "folder")
    before = identity(folder)
    (folder / "3.png").write_bytes(_picture(200, (9, 13)))
    assert identity(folder) != before


def test_a_face_in_frames_becomes_the_clip_of_its_video(
    face_frames: Callable[..., Frames], tmp_path: Path
) -> None:
    for number, frame in enumerate(face_frames(8)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    (clip,) = prepare_clips(tmp_path, Preparation(frames=4, size=32, modalities=("audio",)))
    assert clip.frames.shape == (4, 32, 32, 4)
    assert (clip.sound, clip.sha256) == (False, hash_content(tmp_path))


@pytest.mark.parametrize(
    "files, reason",
    [
        ({"a/0.png": b"no picture", "a/1.png": b""}, "0.png: the picture is damaged"),
        ({"a/0.png": _picture(1)}, "frames in the video: 1; a clip of 2 needs at least 2"),
        (
            {"a/0.png": _picture(1), "a/1.png": _picture(1, (9, 9))},
            "1.png has 9 x 9 pixels, an earlier frame 12 x 8; extract all frames in one size",
        ),
        ({"b/0.png": _picture(1)}, "the archive has no such folder of pictures"),
        (_files() | {"../a/0.png": _picture(1)}, "the archive has a path that leads out of it"),
        ({"/a/0.png": _picture(1)}, "the archive has a path that leads out of it"),
    ],
)
def test_what_cannot_be_a_video_says_why(
    files: dict[str, bytes], reason: str, tmp_path: Path
) -> None:
    archive = _tar(tmp_path / "x.tar", "w", files)
    with pytest.raises(VideoError) as raised:
        read_frames(archive / "a", 2)
    assert reason in raised.value.reason
    assert list(tmp_path.iterdir()) == [archive]


def test_an_archive_cut_short_or_of_something_else_is_damaged(tmp_path: Path) -> None:
    whole = _tar(tmp_path / "x.tar.gz", "w:gz", _files()).read_bytes()
    for number, content in enumerate((whole[: len(whole) // 2], b"no archive", b"")):
        path = tmp_path / f"{number}.tar.gz"
        path.write_bytes(content)
        with pytest.raises(VideoError, match="damaged or no tar archive"):
            archive_folders(path)


def test_a_link_in_an_archive_is_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("a/0.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert archive_folders(path) == ()


def test_archives_and_frames_far_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = _tar(tmp_path / "x.tar.gz", "w:gz", {"a/0.png": bytes(20_000_000)})
    with pytest.raises(VideoError, match="far more than its size"):
        archive_folders(bomb)
    monkeypatch.setattr(frame_folders, "_MOST_BYTES", 50)
    with pytest.raises(VideoError, match=r"1\.png has \d+ bytes; a frame may have at most 50"):
        read_frames(_place(tmp_path, "folder"), 4)
