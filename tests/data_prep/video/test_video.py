"""Frames come evenly from the whole video, or the reason why not comes in plain words."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from data_prep.errors import VideoError
from data_prep.video.video import Media, read_frames, sample_indices, scan_frames

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
    assert "truncated" in _reason(path)


def test_a_video_shorter_than_its_header_says_is_called_truncated(
    tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "a.avi", numbered_frames(50), codec="MJPG")
    os.truncate(path, path.stat().st_size // 2)
    reason = _reason(path)
    assert "of 50 frames decoded; the file looks truncated" in reason
    assert 1 <= int(reason.split()[0]) < 45


def _claim(path: Path, frames: int) -> None:
    """Have the header of an AVI file of 50 frames say another number."""
    content = bytearray(path.read_bytes())
    for place in (content.index(b"avih") + 8 + 16, content.index(b"strh") + 8 + 32):
        assert struct.unpack_from("<I", content, place) == (50,)
        struct.pack_into("<I", content, place, frames)
    path.write_bytes(content)


@pytest.mark.parametrize("claimed", [0, 20, 500])
def test_a_wrong_frame_count_in_the_header_does_not_shift_the_frames(
    claimed: int, tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "a.avi", numbered_frames(50), codec="MJPG")
    _claim(path, claimed)
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


@given(total=st.integers(1, 10**9), count=st.integers(1, 1024))
def test_indices_lie_in_the_video_and_are_evenly_apart(total: int, count: int) -> None:
    indices = sample_indices(total, count)
    assert indices.shape == (count,)
    assert indices.dtype == np.int64
    assert 0 <= indices[0] < max(1, total / count)
    assert total - max(1, total / count) - 1 < indices[-1] < total
    gaps = np.diff(indices)
    assert gaps.size == 0 or gaps.max() - gaps.min() <= 1
    assert gaps.size == 0 or gaps.min() >= (1 if total >= count else 0)


@given(total=st.integers(1, 1000), count=st.integers(1, 64))
def test_a_short_video_shows_every_frame_as_often_as_another(total: int, count: int) -> None:
    shown = np.bincount(sample_indices(total, count), minlength=total)
    assert shown.max() - shown.min() <= 1


def test_given_positions_are_taken(
    tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "fake.avi", numbered_frames(50), codec="MJPG")
    positions = np.array([0, 7, 7, 49])
    sampled = read_frames(path, 4, positions=positions)
    assert sampled.indices.tolist() == [0, 7, 7, 49]
    brightness = [frame.mean() for frame in sampled.frames]
    np.testing.assert_allclose(brightness, 20 + 200 * positions / 49, atol=2.0)
    assert sampled.frames[1] is sampled.frames[2]


@pytest.mark.parametrize("claimed", [50, 200])
def test_positions_beyond_the_end_are_passed_over(
    claimed: int, tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "fake.mkv", numbered_frames(50))
    sampled = read_frames(path, 4, positions=np.array([0, 10, 20, claimed]))
    assert sampled.indices.tolist() == sample_indices(50, 4).tolist()


def test_given_positions_are_taken_where_the_header_gives_no_frame_count(
    tmp_path: Path, encode: Writer, numbered_frames: Writer
) -> None:
    path = encode(tmp_path / "bare.h264", numbered_frames(50), "-c:v", "libx264")
    sampled = read_frames(path, 4, positions=np.array([0, 7, 7, 30]))
    assert sampled.indices.tolist() == [0, 7, 7, 30]
    beyond = read_frames(path, 4, positions=np.array([0, 7, 30, 50]))
    assert beyond.indices.tolist() == sample_indices(50, 4).tolist()


def test_given_positions_are_taken_where_the_frame_count_is_too_low(
    tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "a.avi", numbered_frames(50), codec="MJPG")
    _claim(path, 40)
    sampled = read_frames(path, 4, positions=np.array([0, 7, 7, 30]))
    assert sampled.indices.tolist() == [0, 7, 7, 30]


def test_a_pipe_is_refused_and_not_waited_on(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert _reason(tmp_path / "pipe.mp4") == "not a regular file"
    assert _reason(Path("/dev/zero")) == "not a regular file"
    assert _reason(tmp_path) == "a folder without pictures"


def test_a_picture_is_a_clip_of_one_frame_whatever_its_name(tmp_path: Path) -> None:
    shown = skimage.data.astronaut()
    path = tmp_path / "picture.mp4"
    Image.fromarray(shown).save(path, "PNG")
    sampled = read_frames(path, 1)
    np.testing.assert_array_equal(sampled.frames, [shown])
    assert (sampled.indices.tolist(), sampled.times.tolist()) == ([0], [0.0])
    size = path.stat().st_size
    assert sampled.media == Media("png", 512, 512, fps=0, frames=1, duration=0, bytes=size)
    assert _reason(path) == "a picture, not a video; pass --frames 1 to use pictures"


class _Taken:
    """Every third frame of a video that is walked through."""

    def __init__(self) -> None:
        self.lengths: list[tuple[int, float]] = []
        self.frames: dict[int, np.ndarray] = {}
        self.times: dict[int, float] = {}

    def begin(self, total: int, seconds: float) -> np.ndarray:
        self.lengths.append((total, seconds))
        self.frames.clear()
        self.times.clear()
        return np.arange(0, total, 3)

    def take(self, position: int, time: float, frame: np.ndarray) -> None:
        self.frames[position] = frame
        self.times[position] = time


def test_a_walk_hands_over_the_frames_that_reading_gives(tmp_path: Path, face_video: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(face_video)
    taken = _Taken()
    media = scan_frames(path, 8, taken.begin, taken.take, held=8)
    read = read_frames(path, 8, positions=np.arange(0, 24, 3))
    assert taken.lengths == [(24, 0.96)]
    assert list(taken.frames) == read.indices.tolist()
    assert list(taken.times.values()) == read.times.tolist()
    np.testing.assert_array_equal(list(taken.frames.values()), read.frames)
    assert media == read.media


def test_a_walk_begins_anew_where_the_header_was_wrong(
    tmp_path: Path, write_video: Writer, numbered_frames: Writer
) -> None:
    path = write_video(tmp_path / "a.avi", numbered_frames(50), codec="MJPG")
    _claim(path, 20)
    taken = _Taken()
    media = scan_frames(path, 8, taken.begin, taken.take, held=8)
    assert [total for total, _ in taken.lengths] == [20, 50]
    assert list(taken.frames) == list(range(0, 50, 3))
    assert taken.times[48] == pytest.approx(48 / 25)
    assert media.frames == 50


def test_a_walk_refuses_what_reading_refuses(tmp_path: Path, face_video: bytes) -> None:
    path = tmp_path / "a.mp4"
    taken = _Taken()
    path.write_bytes(face_video[: len(face_video) // 2])
    with pytest.raises(VideoError, match="decode"):
        scan_frames(path, 8, taken.begin, taken.take, held=8)
    path.write_bytes(face_video)
    with pytest.raises(VideoError, match="a clip of 64 needs at least 32"):
        scan_frames(path, 64, taken.begin, taken.take, held=8)


def test_a_walk_through_a_picture_has_one_frame(tmp_path: Path) -> None:
    shown = skimage.data.astronaut()
    Image.fromarray(shown).save(tmp_path / "a.png")
    taken = _Taken()
    media = scan_frames(tmp_path / "a.png", 8, taken.begin, taken.take, held=8)
    assert (taken.lengths, media.frames, media.duration) == ([(1, 0.0)], 1, 0.0)
    np.testing.assert_array_equal(taken.frames[0], shown)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_a_reason_or_a_clip(
    data: st.DataObject, tmp_path: Path, face_video: bytes
) -> None:
    content = bytearray(face_video)
    for _ in range(data.draw(st.integers(1, 20), label="changes")):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)), label="length")])
    try:
        sampled = read_frames(path, 4)
    except VideoError as error:
        assert error.step == "decode"
        assert "\n" not in error.reason
    else:
        assert len({frame.shape for frame in sampled.frames}) == 1
        assert len(sampled.frames) == len(sampled.indices) == len(sampled.times) == 4
        assert np.isfinite(sampled.times).all()
        assert (np.diff(sampled.times) >= 0).all()
        assert sampled.media.duration >= 0
