"""Frames come evenly from the whole video, or the reason why not comes in plain words."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.errors import VideoError
from data_prep.video import read_frames, sample_indices

Writer = Callable[..., Path]


def _reason(path: Path, count: int = 8) -> str:
    with pytest.raises(VideoError) as raised:
        read_frames(path, count)
    assert raised.value.step == "decode"
    assert "\n" not in raised.value.reason
    return raised.value.reason


def test_frames_cover_the_whole_length_evenly() -> None:
    indices = sample_indices(300, 16)
    assert indices[0] < 300 / 16
    assert indices[-1] >= 300 - 300 / 16
    assert set(np.diff(indices)) <= {18, 19}


def test_the_frames_are_those_at_the_indices(
    tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "a.avi", numbered_frames(50), codec="MJPG")
    sampled = read_frames(path, 8)
    brightness = [frame.mean() for frame in sampled.frames]
    expected = 20 + 200 * sampled.indices / 49
    np.testing.assert_allclose(brightness, expected, atol=2.0)
    np.testing.assert_allclose(sampled.times, sampled.indices / 25, atol=0.021)
    assert all(frame.shape == (64, 96, 3) for frame in sampled.frames)
    assert all(frame.dtype == np.uint8 for frame in sampled.frames)


def test_channels_are_red_green_blue(tmp_path: Path, write_video: Writer) -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 220
    path = write_video(tmp_path / "red.mp4", iter([red] * 10))
    colour = read_frames(path, 4).frames[0].mean(axis=(0, 1))
    assert colour[0] > 180
    assert colour[2] < 60


def test_a_video_with_fewer_frames_than_wanted_repeats_them_evenly(
    tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "short.mp4", numbered_frames(5))
    sampled = read_frames(path, 8)
    assert sampled.indices.tolist() == [0, 0, 1, 2, 2, 3, 4, 4]


def test_a_video_with_too_few_frames_says_how_many_it_has(
    tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "short.mp4", numbered_frames(3))
    assert _reason(path) == "frames in the video: 3; a clip of 8 needs at least 4"


def test_one_frame_is_enough_for_a_clip_of_one(
    tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "one.mp4", numbered_frames(1))
    assert len(read_frames(path, 1).frames) == 1


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert _reason(path) == "the file is empty"


def test_a_missing_file_is_called_unreadable(tmp_path: Path) -> None:
    assert "No such file" in _reason(tmp_path / "none.mp4")


def test_a_file_that_is_no_video_is_refused_without_noise(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("hello " * 1000)
    assert "no video" in _reason(path)
    assert capfd.readouterr().err == ""


def test_a_video_without_its_end_is_refused(
    tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "a.mp4", numbered_frames(50))
    os.truncate(path, path.stat().st_size // 2)
    assert "cut short" in _reason(path)


def test_a_video_shorter_than_its_header_says_is_called_truncated(
    tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "a.avi", numbered_frames(50), codec="MJPG")
    os.truncate(path, path.stat().st_size // 2)
    reason = _reason(path)
    assert "of 8 frames decoded; the file looks truncated" in reason
    assert 1 <= int(reason.split()[0]) < 8


@pytest.mark.parametrize("claimed", [0, 20, 500])
def test_a_wrong_frame_count_in_the_header_does_not_shift_the_frames(
    claimed: int, tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "a.avi", numbered_frames(50), codec="MJPG")
    content = bytearray(path.read_bytes())
    for place in (content.index(b"avih") + 8 + 16, content.index(b"strh") + 8 + 32):
        assert struct.unpack_from("<I", content, place) == (50,)
        struct.pack_into("<I", content, place, claimed)
    path.write_bytes(content)
    if claimed == 500:
        assert "truncated" in _reason(path)
    else:
        assert read_frames(path, 8).indices.tolist() == sample_indices(50, 8).tolist()


@pytest.mark.parametrize(
    "name", ["Zoë 面.mp4", "two\nlines.mp4", "100%03d.mp4", "http:x.mp4", "-y.mp4"]
)
def test_unusual_file_names_are_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, face_video: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(face_video)
    assert len(read_frames(Path(name), 4).frames) == 4


def test_a_file_name_that_is_no_text_is_read(tmp_path: Path, face_video: bytes) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    Path(os.fsdecode(name)).write_bytes(face_video)
    assert len(read_frames(Path(os.fsdecode(name)), 4).frames) == 4


def test_what_the_file_is_travels_with_the_frames(
    tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "a.avi", numbered_frames(50), codec="MJPG")
    media = read_frames(path, 8).media
    assert (media.codec, media.width, media.height, media.frames) == ("mjpeg", 96, 64, 50)
    assert media.fps == pytest.approx(25)
    assert media.duration == pytest.approx(2.0)
    assert media.bytes == path.stat().st_size
