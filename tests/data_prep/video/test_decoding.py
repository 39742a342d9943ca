"""The frames that a player shows are the video, whatever else its file holds or hides."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.errors import VideoError
from data_prep.video import decoding
from data_prep.video.decoding import open_video
from data_prep.video.video import read_frames, sample_indices

Encoder = Callable[..., Path]
Program = Callable[..., None]
Frames = Callable[..., object]

_SUBTITLE = "1\n00:00:01,000 --> 00:01:40,000\nhello\n"
_CHAPTER = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=100\ntitle=a\n"


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, encode: Encoder, numbered_frames: Frames
) -> Path:
    """Four seconds of 100 numbered frames, with B-frames and a key frame every second."""
    path = tmp_path_factory.mktemp("whole") / "whole.mp4"
    return encode(path, numbered_frames(100), "-c:v", "libx264", "-g", "25", "-bf", "2")


def _numbers(frames: tuple[np.ndarray, ...]) -> list[int]:
    return [round((frame.mean() - 20) / 200 * 99) for frame in frames]


def _check(path: Path, first: int, frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a file gives so many frames from the first one on, in one walk."""
    walks = []
    walk = decoding.Video.walk
    monkeypatch.setattr(
        decoding.Video, "walk", lambda *args, **options: walks.append(1) or walk(*args, **options)
    )
    sampled = read_frames(path, 8)
    assert sampled.media.frames == frames
    assert sampled.media.duration == pytest.approx(frames / 25, abs=0.03)
    assert sampled.indices.tolist() == sample_indices(frames, 8).tolist()
    np.testing.assert_allclose(_numbers(sampled.frames), first + sampled.indices, atol=1)
    np.testing.assert_allclose(sampled.times, sampled.indices / 25, atol=0.03)
    assert len(walks) == 1


@pytest.mark.parametrize("ending", ["mp4", "mov"])
@pytest.mark.parametrize("start", ["0.2", "0.72", "1.4", "3.2"])
def test_frames_before_the_cut_of_a_trimmed_video_are_not_shown(
    start: str,
    ending: str,
    whole: Path,
    tmp_path: Path,
    ffmpeg: Program,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / f"trimmed.{ending}"
    ffmpeg("-ss", start, "-i", whole, "-c", "copy", path)
    with open_video(path, 1) as video:
        assert video._stream.frames >= video.header.frames + 5
    first = round(float(start) * 25)
    _check(path, first, 100 - first, monkeypatch)


def test_most_of_a_trimmed_video_can_be_hidden(
    whole: Path, tmp_path: Path, encode: Encoder, numbered_frames: Frames, ffmpeg: Program
) -> None:
    stored = encode(tmp_path / "a.mp4", numbered_frames(100), "-c:v", "libx264", "-g", "100")
    path = tmp_path / "trimmed.mp4"
    ffmpeg("-ss", "3.2", "-i", stored, "-c", "copy", path)
    sampled = read_frames(path, 8)
    assert sampled.media.frames == 20
    assert _numbers(sampled.frames) == [80 + at for at in sampled.indices]


@pytest.mark.parametrize(
    ("options", "first", "frames"),
    [
        # A delay is an empty edit, and frames before zero are not shown.
        (["-c", "copy", "-output_ts_offset", "2"], 0, 100),
        (["-c", "copy", "-output_ts_offset", "-1", "-avoid_negative_ts", "disabled"], 25, 75),
        (["-c", "copy", "-movflags", "frag_keyframe"], 0, 100),
        (["-c", "copy", "-movflags", "frag_keyframe+empty_moov+default_base_moof"], 0, 100),
        (["-c", "copy", "-movflags", "+faststart", "-timecode", "01:00:00:00"], 0, 100),
    ],
)
def test_edit_lists_fragments_and_time_codes_change_no_frame(
    options: list[str],
    first: int,
    frames: int,
    whole: Path,
    tmp_path: Path,
    ffmpeg: Program,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "a.mov"
    ffmpeg("-i", whole, *options, path)
    _check(path, first, frames, monkeypatch)


def test_the_end_of_a_video_can_be_hidden(whole: Path, tmp_path: Path) -> None:
    """The one edit of ISO/IEC 14496-12, 8.6.6, made to last 1.2 seconds."""
    content = bytearray(whole.read_bytes())
    place = content.index(b"elst") + 12
    assert int.from_bytes(content[place : place + 4], "big") == 4000
    content[place : place + 4] = (1200).to_bytes(4, "big")
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    sampled = read_frames(path, 8)
    assert sampled.media.frames == pytest.approx(30, abs=3)
    assert _numbers(sampled.frames) == sampled.indices.tolist()


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize("other", ["subtitles", "chapters", "sound"])
def test_another_stream_can_outlast_the_video(
    other: str,
    name: str,
    whole: Path,
    tmp_path: Path,
    ffmpeg: Program,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "a.srt").write_text(_SUBTITLE)
    (tmp_path / "a.txt").write_text(_CHAPTER)
    codec = "srt" if name.endswith("mkv") else "mov_text"
    options = {
        "subtitles": ["-i", tmp_path / "a.srt", "-c:s", codec],
        "chapters": ["-i", tmp_path / "a.txt", "-map_metadata", "1"],
        "sound": ["-f", "lavfi", "-i", "sine=d=20"],
    }
    ffmpeg("-i", whole, *options[other], "-c:v", "copy", tmp_path / name)
    _check(tmp_path / name, 0, 100, monkeypatch)


@pytest.mark.parametrize("name", ["a.ts", "a.flv", "a.avi", "a.wmv"])
def test_sound_can_outlast_a_video_without_a_length_of_its_own(
    name: str, whole: Path, tmp_path: Path, ffmpeg: Program
) -> None:
    codec = "wmv2" if name.endswith("wmv") else "copy"
    path = tmp_path / name
    ffmpeg("-i", whole, "-f", "lavfi", "-i", "sine=r=44100:d=20", "-c:v", codec, path)
    sampled = read_frames(path, 8)
    assert sampled.media.frames == 100
    assert sampled.indices.tolist() == sample_indices(100, 8).tolist()


@pytest.mark.parametrize(
    ("name", "other"),
    [
        *itertools.product(["a.mp4", "trimmed.mp4", "a.mkv"], ["none", "sound", "subtitles"]),
        ("a.avi", "none"),
        ("a.avi", "sound"),
    ],
)
def test_a_video_that_is_cut_short_is_refused_with_its_frames(
    name: str, other: str, whole: Path, tmp_path: Path, ffmpeg: Program
) -> None:
    (tmp_path / "a.srt").write_text(_SUBTITLE.replace("01:40", "00:03"))
    options: dict[str, list[object]] = {
        "none": [],
        "sound": ["-f", "lavfi", "-i", "sine=r=44100:d=2.6"],
        "subtitles": ["-i", tmp_path / "a.srt"],
    }
    start = ["-ss", "1.4"] if name.startswith("trimmed") else []
    codec = ["-c:v", "mjpeg"] if name.endswith("avi") else ["-c:v", "copy"]
    if name.endswith("mp4"):
        codec += ["-c:s", "mov_text", "-movflags", "+faststart"]
    path = tmp_path / name
    ffmpeg(*start, "-i", whole, *options[other], *codec, path)
    shown = read_frames(path, 8).media.frames
    begin = path.read_bytes().rindex(b"mdat") if name.endswith("mp4") else 0
    os.truncate(path, begin + (path.stat().st_size - begin) * 3 // 5)
    with pytest.raises(VideoError) as raised:
        read_frames(path, 8)
    found = re.fullmatch(
        r"(\d+) of (\d+) frames decoded; the file looks truncated", raised.value.reason
    )
    assert found, raised.value.reason
    assert 1 <= int(found[1]) < 0.9 * shown
    assert int(found[2]) == pytest.approx(shown, abs=1)


def test_a_last_frame_that_is_shown_for_long_is_no_damage(
    tmp_path: Path, encode: Encoder, numbered_frames: Frames
) -> None:
    held = "setpts='if(lt(N,49),N,49+(N-49)*250)/25/TB'"
    for name in ("a.mp4", "a.mkv"):
        path = encode(tmp_path / name, numbered_frames(51), "-vf", held, "-fps_mode", "passthrough")
        assert read_frames(path, 8).media.frames == 51


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_cover_is_not_taken_for_the_video(
    name: str, whole: Path, tmp_path: Path, ffmpeg: Program
) -> None:
    cover = tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=640x480", "-frames:v", "1", cover)
    covers = ["-map", "1", "-map", "0", "-c", "copy", "-disposition:v:0", "attached_pic+default"]
    if name.endswith("mkv"):
        covers = ["-map", "0", "-c", "copy", "-attach", cover]
        covers += ["-metadata:s:t", "mimetype=image/png", "-disposition:v:0", "0"]
    ffmpeg("-i", whole, "-i", cover, *covers, tmp_path / name)
    sampled = read_frames(tmp_path / name, 8)
    assert (sampled.media.codec, sampled.media.frames) == ("h264", 100)


def test_a_song_with_a_cover_is_no_video(whole: Path, tmp_path: Path, ffmpeg: Program) -> None:
    cover, path = tmp_path / "cover.png", tmp_path / "song.mp4"
    ffmpeg("-i", whole, "-frames:v", "1", cover)
    sound = ["-f", "lavfi", "-i", "sine=d=2", "-i", cover, "-map", "0", "-map", "1"]
    ffmpeg(*sound, "-c:v", "copy", "-disposition:v", "attached_pic", path)
    with pytest.raises(VideoError, match="no video stream found, only sound"):
        read_frames(path, 1)
