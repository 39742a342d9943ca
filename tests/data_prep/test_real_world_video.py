"""Videos as cameras, phones and web sites make them give the right frames at the right times."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.errors import VideoError
from data_prep.preparation.clip import Preparation
from data_prep.preparation.job import Execution
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
from data_prep.video import decoding
from data_prep.video.video import read_frames, sample_indices

Encoder = Callable[..., Path]
Program = Callable[..., None]
Frames = Callable[..., object]

# Output options of ffmpeg, by file name.
_KINDS = {
    "h264.mp4": ["-c:v", "libx264"],
    "h264.mov": ["-c:v", "libx264"],
    "h264.mkv": ["-c:v", "libx264"],
    "h264.ts": ["-c:v", "libx264"],
    "h264.flv": ["-c:v", "libx264"],
    "h264.avi": ["-c:v", "libx264"],
    "bare.h264": ["-c:v", "libx264"],
    "fragments.mp4": ["-c:v", "libx264", "-g", "10", "-movflags", "frag_keyframe+empty_moov"],
    "ten_bits.mp4": ["-c:v", "libx264", "-pix_fmt", "yuv420p10le"],
    "full_colour.mp4": ["-c:v", "libx264", "-pix_fmt", "yuv444p"],
    "interlaced.mp4": ["-c:v", "libx264", "-flags", "+ilme+ildct"],
    "hevc.mp4": ["-c:v", "libx265", "-x265-params", "log-level=none"],
    "hevc_ten_bits.mp4": [
        *("-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv422p10le"),
    ],
    "av1.mp4": ["-c:v", "libaom-av1", "-cpu-used", "8"],
    "vp8.webm": ["-c:v", "libvpx"],
    "vp9.webm": ["-c:v", "libvpx-vp9"],
    "theora.ogv": ["-c:v", "libtheora", "-q:v", "9"],
    "motion_jpeg.avi": ["-c:v", "mjpeg"],
    "motion_jpeg.mov": ["-c:v", "mjpeg"],
    "mpeg1.mpg": ["-c:v", "mpeg1video"],
    "mpeg2.mpg": ["-c:v", "mpeg2video"],
    "mpeg2_interlaced.ts": ["-c:v", "mpeg2video", "-flags", "+ilme+ildct"],
    "mpeg4.avi": ["-c:v", "mpeg4"],
    "sorenson.flv": ["-c:v", "flv"],
    "windows.wmv": ["-c:v", "wmv2"],
    "prores.mov": ["-c:v", "prores"],
    "lossless.mkv": ["-c:v", "ffv1"],
    "animation.gif": ["-c:v", "gif"],
}
_NAMES = [
    "with spaces.mp4",
    "both ' and \".mp4",
    "two\nlines.mp4",
    "-leading.mp4",
    "100%03d.mp4",
    "%d.mp4",
    "http:x.mp4",
    "concat:a|b.mp4",
    "Zoë 面.mp4",
    "semi;colon&more$(x)`y`.mp4",
    "back\\slash*?[a].mp4",
    "no_ending",
    os.fsdecode(b"caf\xe9.mp4"),
]


@pytest.fixture(scope="module")
def plain(
    tmp_path_factory: pytest.TempPathFactory, encode: Encoder, numbered_frames: Frames
) -> Path:
    """A video of 50 numbered frames, a key frame every ten."""
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    return encode(path, numbered_frames(50), "-c:v", "libx264", "-g", "10")


def _numbers(frames: tuple[np.ndarray, ...], total: int = 50) -> list[int]:
    """The number each frame's brightness tells."""
    return [round((frame.mean() - 20) / 200 * (total - 1)) for frame in frames]


@pytest.mark.parametrize("name", _KINDS)
def test_every_kind_gives_the_frames_at_the_indices_and_their_times(
    name: str, tmp_path: Path, encode: Encoder, numbered_frames: Frames
) -> None:
    path = encode(tmp_path / name, numbered_frames(50), *_KINDS[name])
    sampled = read_frames(path, 8)
    # Some containers tell their length only roughly.
    np.testing.assert_allclose(sampled.indices, sample_indices(50, 8), atol=4)
    assert _numbers(sampled.frames) == sampled.indices.tolist()
    np.testing.assert_allclose(sampled.times, sampled.indices / 25, atol=0.002)
    media = sampled.media
    assert (media.width, media.height, media.frames) == (96, 64, 50)
    assert media.duration == pytest.approx(2.0, abs=0.002)
    assert media.fps == pytest.approx(25, abs=0.1)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_frames_do_not_depend_on_the_number_of_threads(
    threads: int, tmp_path: Path, encode: Encoder, face_frames: Frames
) -> None:
    for name in ("theora.ogv", "h264.mp4"):
        path = encode(tmp_path / name, face_frames(12), *_KINDS[name])
        first, again = read_frames(path, 6, threads=1), read_frames(path, 6, threads=threads)
        np.testing.assert_array_equal(first.frames, again.frames)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_noted_rotation_is_applied(
    turns: int, tmp_path: Path, encode: Encoder, ffmpeg: Program, face_frames: Frames
) -> None:
    upright = list(face_frames(8))
    stored = encode(
        tmp_path / "stored.mp4", [np.rot90(frame, -turns) for frame in upright], "-qp", "10"
    )
    path = tmp_path / "phone.mp4"
    ffmpeg("-display_rotation", 90 * turns, "-i", stored, "-c", "copy", path)
    sampled = read_frames(path, 8)
    assert (sampled.media.width, sampled.media.height) == (320, 240)
    difference = np.stack(sampled.frames).astype(int) - np.stack(upright)
    assert np.abs(difference).mean() < 6


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_times_are_right_where_the_frame_rate_changes(
    ending: str, tmp_path: Path, encode: Encoder, numbered_frames: Frames
) -> None:
    slower = "setpts='if(lt(N,25),N,25+(N-25)*5)/25/TB'"
    path = encode(
        tmp_path / f"a.{ending}", numbered_frames(50), "-vf", slower, "-fps_mode", "passthrough"
    )
    sampled = read_frames(path, 8)
    assert _numbers(sampled.frames) == sampled.indices.tolist() == [3, 9, 15, 21, 28, 34, 40, 46]
    expected = [at / 25 if at < 25 else 1 + (at - 25) / 5 for at in sampled.indices]
    np.testing.assert_allclose(sampled.times, expected, atol=0.002)


def test_times_count_from_the_first_frame(tmp_path: Path, ffmpeg: Program, plain: Path) -> None:
    path = tmp_path / "late.ts"
    ffmpeg("-itsoffset", "3600", "-i", plain, "-c", "copy", "-copyts", path)
    assert read_frames(path, 8).times[0] == pytest.approx(3 / 25, abs=0.002)


def test_odd_sizes_are_kept(tmp_path: Path, encode: Encoder) -> None:
    frames = [np.full((63, 97, 3), 10 * at, np.uint8) for at in range(12)]
    path = encode(tmp_path / "odd.mp4", frames, "-c:v", "libx264", "-pix_fmt", "yuv444p")
    assert read_frames(path, 4).frames[0].shape == (63, 97, 3)


@pytest.mark.parametrize(("shape", "shown"), [("2/1", (64, 192)), ("1/2", (128, 96))])
def test_pixels_that_are_not_square_are_made_square(
    shape: str, shown: tuple[int, int], tmp_path: Path, encode: Encoder, numbered_frames: Frames
) -> None:
    path = encode(tmp_path / "wide.mp4", numbered_frames(50), "-vf", f"setsar={shape}")
    sampled = read_frames(path, 8)
    assert {frame.shape[:2] for frame in sampled.frames} == {shown}
    assert (sampled.media.height, sampled.media.width) == shown
    assert _numbers(sampled.frames) == sampled.indices.tolist()


def test_frames_that_change_their_size_come_in_one_size(
    tmp_path: Path, encode: Encoder, numbered_frames: Frames
) -> None:
    parts = [
        encode(tmp_path / f"{size}.ts", numbered_frames(25), "-vf", f"scale={size}")
        for size in ("96:64", "144:96")
    ]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    sampled = read_frames(path, 8)
    assert {frame.shape for frame in sampled.frames} == {(64, 96, 3)}
    assert sampled.media.frames >= 48


def test_sound_that_goes_on_after_the_picture_is_no_damage(
    tmp_path: Path, ffmpeg: Program, plain: Path
) -> None:
    for name in ("long_sound.mkv", "long_sound.mp4", "long_sound.avi"):
        path = tmp_path / name
        ffmpeg("-i", plain, "-f", "lavfi", "-i", "sine=d=10", "-c:v", "copy", path)
        assert read_frames(path, 8).media.frames == 50


def test_a_picture_that_starts_late_in_the_file_is_read(
    tmp_path: Path, ffmpeg: Program, plain: Path
) -> None:
    path = tmp_path / "sound_first.mkv"
    ffmpeg("-f", "lavfi", "-i", "sine=d=4", "-itsoffset", "2", "-i", plain, "-c:v", "copy", path)
    sampled = read_frames(path, 8)
    assert _numbers(sampled.frames) == sampled.indices.tolist()


def test_a_video_of_one_frame_is_a_clip_of_one(
    tmp_path: Path, encode: Encoder, numbered_frames: Frames
) -> None:
    path = encode(tmp_path / "one.mp4", numbered_frames(1))
    sampled = read_frames(path, 1)
    assert (sampled.media.frames, len(sampled.frames)) == (1, 1)
    with pytest.raises(VideoError, match="frames in the video: 1; a clip of 8 needs at least 4"):
        read_frames(path, 8)


@pytest.mark.parametrize("name", _NAMES)
def test_a_file_may_have_any_name(
    name: str, tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(plain.read_bytes())
    for path in (Path(name), tmp_path / name):
        sampled = read_frames(path, 8)
        assert _numbers(sampled.frames) == sampled.indices.tolist()


def test_links_are_followed(tmp_path: Path, plain: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(plain)
    assert read_frames(link, 8).media.bytes == plain.stat().st_size


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile {}\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n",
    ],
)
@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list"])
def test_a_list_of_videos_is_not_followed(
    text: str, name: str, tmp_path: Path, ffmpeg: Program, plain: Path
) -> None:
    ffmpeg("-i", plain, "-c", "copy", tmp_path / "other.ts")
    path = tmp_path / name
    path.write_text(text.format("other.ts"))
    with pytest.raises(VideoError, match="no video stream found"):
        read_frames(path, 8)


def test_a_sound_file_with_a_cover_is_no_video(
    tmp_path: Path, ffmpeg: Program, plain: Path
) -> None:
    cover, path = tmp_path / "cover.png", tmp_path / "song.mp4"
    ffmpeg("-i", plain, "-frames:v", "1", cover)
    sound = ["-f", "lavfi", "-i", "sine=d=2", "-i", cover, "-map", "0", "-map", "1"]
    ffmpeg(*sound, "-c:v", "png", "-disposition:v", "attached_pic", path)
    with pytest.raises(VideoError, match="no video stream found, only sound"):
        read_frames(path, 1)


@pytest.mark.parametrize("codec", ["libx264", "mjpeg", "libvpx-vp9"])
def test_frames_beyond_the_limit_are_refused(
    codec: str, tmp_path: Path, ffmpeg: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.mkv"
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=640x480:d=0.4", "-c:v", codec, path)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 640 * 480 - 1)
    with pytest.raises(VideoError, match=r"pixels; the limit is|have more than .* pixels"):
        read_frames(path, 4)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 640 * 480)
    assert read_frames(path, 4).media.width == 640


def test_frames_too_large_to_be_kept_are_kept_smaller(
    tmp_path: Path, encode: Encoder, face_frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = list(face_frames(12))
    path = encode(tmp_path / "a.mp4", whole, "-qp", "10")
    limit = 12 * whole[0].nbytes // 4
    monkeypatch.setattr(decoding, "MAX_BYTES", limit)
    sampled = read_frames(path, 12)
    assert {frame.shape for frame in sampled.frames} == {(120, 160, 3)}
    assert sum(frame.nbytes for frame in sampled.frames) <= limit
    assert (sampled.media.width, sampled.media.height) == (320, 240)
    halved = whole[0].reshape(120, 2, 160, 2, 3).mean(axis=(1, 3))
    assert np.abs(sampled.frames[0] - halved).mean() < 6


def test_memory_does_not_grow_with_the_length_of_a_video(tmp_path: Path, ffmpeg: Program) -> None:
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from data_prep.video.video import read_frames\n"
        "frames = read_frames(Path(sys.argv[1]), 16, threads=1).media.frames\n"
        "print(frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = {}
    for length in (200, 20_000):
        path = tmp_path / f"{length}.mp4"
        source = f"testsrc=s=64x64:r=100:d={length / 100}"
        ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", path)
        done = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
        )
        frames, peaks[length] = map(int, done.stdout.split())
        assert frames == length
    assert peaks[20_000] < peaks[200] + 30_000


@pytest.mark.slow
def test_a_folder_of_all_of_them_arrives(
    tmp_path: Path, encode: Encoder, ffmpeg: Program, face_frames: Frames
) -> None:
    source = tmp_path / "source"
    sides = [source / "real", source / "fake"]
    for number, name in enumerate(kind for kind in _KINDS if kind not in {"bare.h264"}):
        encode(sides[number % 2] / f"{number}_{name}", face_frames(12), *_KINDS[name])
    plain = encode(tmp_path / "plain.mp4", face_frames(12), "-c:v", "libx264").read_bytes()
    for number, name in enumerate(_NAMES):
        (sides[number % 2] / name).write_bytes(plain)
    for turns in (1, 2, 3):
        frames = [np.rot90(frame, -turns) for frame in face_frames(12)]
        stored = encode(tmp_path / "stored.mp4", frames)
        phone = sides[turns % 2] / f"phone_{turns}.mp4"
        ffmpeg("-display_rotation", 90 * turns, "-i", stored, "-c", "copy", phone)
    (sides[0] / "link.mp4").symlink_to(tmp_path / "plain.mp4")
    made = prepare(
        source,
        tmp_path / "s.h5",
        Preparation(frames=4, size=32),
        execution=Execution(jobs=2),
        split=SplitRequest(policy="test"),
    )
    assert [(entry.path, entry.reason) for entry in made.quarantined] == []
    assert made.clips == len(_KINDS) - 1 + len(_NAMES) + 4
