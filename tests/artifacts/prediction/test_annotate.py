"""Annotated videos play: every frame at its time, what was found drawn on it, and the sound."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from artifacts.prediction.annotate import annotate
from artifacts.prediction.clip_windows import Clip
from artifacts.prediction.overlay import COLOURS
from artifacts.prediction.sources import name_outputs
from artifacts.prediction.timeline import Moment
from artifacts.prediction.verdict import FaceVerdict, Judged, NoVerdict, Verdict
from artifacts.prediction.video_frames import FaceClip, Watched
from data_prep.errors import UserError
from data_prep.faces.tracks import FaceTrack
from data_prep.preparation.clip import Preparation
from data_prep.video.video import read_frames

PREPARATION = Preparation(frames=4, size=32)
BOX = (100, 80, 300, 280)


def _decide(probability: float) -> str:
    return "fake" if probability >= 0.5 else "real"


def _judged(path: Path, *, heat: bool = False) -> Judged:
    """A verdict on a video with a face in one place: real in its first half, fake in its second."""
    sampled = read_frames(path, 1 if path.suffix == ".png" else 4)
    media, times = sampled.media, np.resize(sampled.times, 4)
    track = FaceTrack(
        np.tile(np.array(BOX, np.float32), (4, 1)),
        np.tile(
            np.array([[150, 150], [250, 150], [200, 200], [160, 240], [240, 240]], np.float32),
            (4, 1, 1),
        ),
        np.ones(4, np.float32),
        1.0,
    )
    warm = np.zeros((4, 4, 4), np.uint8)
    warm[:, 1:3, 1:3] = 255
    indices = np.resize(sampled.indices, 4)
    clip = FaceClip(0, Clip(indices, True), times, track, 0.9, warm if heat else None)
    shown = dict(zip(indices.tolist(), times.tolist(), strict=True))
    watched = Watched(media, (clip,), indices, indices[:0], 4, shown, ())
    half = media.duration / 2
    moments = (Moment(0.0, half, 0.1, "real"), Moment(half, media.duration, 0.9, "fake"))
    face = FaceVerdict(1, 0.9, "fake", "", 1.0, 4, 1, 0.0, media.duration, 40, moments, ())
    verdict = Verdict(str(path), 0.9, "fake", 0.5, 1.0, 4, 1, 0.1, media.duration, None, (face,))
    return Judged(verdict, watched, (face,), {0: 1})


def _flat(count: int, height: int = 480, width: int = 640) -> Iterator[npt.NDArray[np.uint8]]:
    for _ in range(count):
        yield np.full((height, width, 3), 100, np.uint8)


def _ffmpeg(*arguments: object) -> None:
    command = [get_ffmpeg_exe(), "-y", "-v", "error", *map(str, arguments)]
    subprocess.run(command, check=True)


def _played(path: Path) -> tuple[list[tuple[float, npt.NDArray[np.uint8]]], list[float], str]:
    """Frames with their times, times of sound with its codec; all is decoded to the end."""
    frames, sound, codec = [], [], ""
    with av.open(str(path)) as container:
        for packet in container.demux():
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    frames.append((frame.time, frame.to_ndarray(format="rgb24")))
                else:
                    sound.append(frame.time)
                    codec = packet.stream.codec_context.name
    return frames, sound, codec


def _near(pixel: npt.NDArray[np.uint8], colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= 40)


def test_every_frame_shows_box_and_score_of_its_time(
    tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    video = write_video(tmp_path / "in.mp4", _flat(20))
    assert annotate(video, tmp_path / "out.mp4", _judged(video), PREPARATION, _decide) == []
    frames, _, _ = _played(tmp_path / "out.mp4")
    assert len(frames) == 20
    np.testing.assert_allclose([time for time, _ in frames], np.arange(20) / 25, atol=1e-3)
    for time, picture in frames:
        expected = COLOURS["real" if time < 0.4 else "fake"]
        assert _near(picture[200, BOX[0]], expected)
        assert _near(picture[200, BOX[2]], expected)
        assert _near(picture[200, 200], (100, 100, 100))
        # The time bar.
        assert _near(picture[-5, 10], COLOURS["real"])
        assert _near(picture[-5, 630], COLOURS["fake"])
    assert list(tmp_path.glob(".*")) == []


def test_heat_is_laid_over_the_middle_of_the_face_alone(
    tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    video = write_video(tmp_path / "in.mp4", _flat(8))
    judged = _judged(video, heat=True)
    annotate(video, tmp_path / "out.mp4", judged, PREPARATION, _decide)
    frames, _, _ = _played(tmp_path / "out.mp4")
    changed = np.abs(frames[4][1].astype(int) - 100).max(axis=2)
    assert changed[180, 200] > 60
    # As far to the left and above as to the right and below: the middle half of the crop.
    rows, columns = np.nonzero(changed[90:270, 110:290] > 30)
    assert rows.min() == pytest.approx(179 - rows.max(), abs=6)
    assert columns.min() == pytest.approx(179 - columns.max(), abs=6)
    assert changed[110, 125] < 20
    assert changed[350, 500] < 20


@pytest.mark.parametrize(
    ("codec", "kept"), [("aac", "aac"), ("mp3", "mp3float"), ("pcm_s16le", "aac")]
)
def test_sound_is_kept_to_the_end(
    tmp_path: Path, write_video: Callable[..., Path], codec: str, kept: str
) -> None:
    silent = write_video(tmp_path / "silent.mp4", _flat(50))
    video = tmp_path / "in.mov"
    tone = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=2")
    _ffmpeg("-i", silent, *tone, "-c:v", "copy", "-c:a", codec, video)
    assert annotate(video, tmp_path / "out.mp4", _judged(video), PREPARATION, _decide) == []
    frames, sound, found = _played(tmp_path / "out.mp4")
    assert len(frames) == 50
    assert found == kept
    assert sound[0] == pytest.approx(0.0, abs=0.06)
    assert sound[-1] == pytest.approx(2.0, abs=0.08)


def test_sound_that_begins_later_keeps_its_place(
    tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    silent = write_video(tmp_path / "silent.mp4", _flat(50))
    video = tmp_path / "in.mkv"
    tone = ("-itsoffset", "0.5", "-f", "lavfi", "-i", "sine=duration=1")
    _ffmpeg("-i", silent, *tone, "-c:v", "copy", "-c:a", "aac", video)
    annotate(video, tmp_path / "out.mp4", _judged(video), PREPARATION, _decide)
    _, original, _ = _played(video)
    _, sound, _ = _played(tmp_path / "out.mp4")
    assert original[0] > 0.4
    assert sound[0] == pytest.approx(original[0], abs=0.05)
    assert sound[-1] == pytest.approx(original[-1], abs=0.05)


def test_damaged_sound_does_not_stop_the_picture(
    tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    silent = write_video(tmp_path / "silent.mp4", _flat(50))
    video = tmp_path / "in.avi"
    tone = ("-f", "lavfi", "-i", "sine=duration=2")
    _ffmpeg("-i", silent, *tone, "-c:v", "copy", "-c:a", "mp2", video)
    content = bytearray(video.read_bytes())
    with av.open(str(video)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    for at, size in packets[20:]:
        content[at : at + size] = bytes(size)
    video.write_bytes(bytes(content))
    (remark,) = annotate(video, tmp_path / "out.mp4", _judged(video), PREPARATION, _decide)
    assert remark == "the sound is damaged; its unreadable parts are left out"
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 50
    _, sound, _ = _played(tmp_path / "out.mp4")
    assert 0.3 < sound[-1] < 0.7


def test_a_video_that_does_not_begin_at_nought_does_afterwards(
    tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    silent = write_video(tmp_path / "silent.mp4", _flat(50))
    video = tmp_path / "in.ts"
    tone = ("-f", "lavfi", "-i", "sine=sample_rate=44100:duration=2")
    _ffmpeg("-i", silent, *tone, "-c:v", "mpeg2video", "-c:a", "aac", video)
    annotate(video, tmp_path / "out.mp4", _judged(video), PREPARATION, _decide)
    before, heard, _ = _played(video)
    frames, sound, codec = _played(tmp_path / "out.mp4")
    assert before[0][0] > 1
    assert min(frames[0][0], sound[0]) == pytest.approx(0.0, abs=0.03)
    assert (len(frames), codec) == (50, "aac")
    assert sound[-1] - frames[-1][0] == pytest.approx(heard[-1] - before[-1][0], abs=0.03)


def test_sound_that_no_mp4_can_hold_is_left_out(
    tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    silent = write_video(tmp_path / "silent.mp4", _flat(25))
    video = tmp_path / "in.mkv"
    tone = ("-f", "lavfi", "-i", "sine=sample_rate=3000:duration=1")
    _ffmpeg("-i", silent, *tone, "-c:v", "copy", "-c:a", "pcm_s16le", "-ar", "3000", video)
    remarks = annotate(video, tmp_path / "out.mp4", _judged(video), PREPARATION, _decide)
    assert remarks == ["the sound is left out: an MP4 cannot hold it"]
    assert len(_played(tmp_path / "out.mp4")[0]) == 25


def test_odd_sides_turned_frames_and_uneven_times_are_handled(tmp_path: Path) -> None:
    video = tmp_path / "in.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264rgb", rate=25)
        stream.width, stream.height, stream.pix_fmt = 127, 95, "rgb24"
        stream.codec_context.time_base = Fraction(1, 1000)
        shown = [0, 40, 300, 340, 900, 940, 980, 1020]
        for at in shown:
            frame = av.VideoFrame.from_ndarray(np.full((95, 127, 3), 100, np.uint8), "rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    turned = tmp_path / "turned.mp4"
    _ffmpeg("-display_rotation", "90", "-i", video, "-c", "copy", turned)
    assert annotate(turned, tmp_path / "out.mp4", _judged(turned), PREPARATION, _decide) == []
    frames, _, _ = _played(tmp_path / "out.mp4")
    assert frames[0][1].shape == (128, 96, 3)
    assert [time for time, _ in frames] == pytest.approx([at / 1000 for at in shown], abs=2e-3)


def test_a_picture_becomes_a_second_of_video(tmp_path: Path) -> None:
    from PIL import Image

    picture = tmp_path / "face.png"
    Image.fromarray(next(_flat(1))).save(picture)
    judged = _judged(picture)
    assert annotate(picture, tmp_path / "out.mp4", judged, PREPARATION, _decide) == []
    frames, _, _ = _played(tmp_path / "out.mp4")
    assert len(frames) == 25


def test_a_video_without_a_verdict_is_annotated_with_what_was_found(
    tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    video = write_video(tmp_path / "in.mp4", _flat(8))
    judged = _judged(video)
    without: dict[str, Any] = {"answer": NoVerdict("in.mp4", "seen too short"), "faces": ()}
    annotate(
        video, tmp_path / "a.mp4", dataclasses.replace(judged, **without), PREPARATION, _decide
    )
    assert len(_played(tmp_path / "a.mp4")[0]) == 8
    without["watched"] = None
    annotate(
        video, tmp_path / "b.mp4", dataclasses.replace(judged, **without), PREPARATION, _decide
    )
    assert not (tmp_path / "b.mp4").exists()


def test_an_annotated_video_alone_is_written_anew(
    tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    video, out = write_video(tmp_path / "in.mp4", _flat(8)), tmp_path / "out" / "in.mp4"
    out.parent.mkdir()
    annotate(video, out, _judged(video), PREPARATION, _decide)
    assert name_outputs(out.parent, [video]) == {video: out}
    assert name_outputs(out, [video]) == {video: out}
    # Where it is to be judged itself it stays.
    assert name_outputs(out.parent, [out]) == {out: out.with_name("in-2.mp4")}
    with pytest.raises(UserError, match="to be judged"):
        name_outputs(out, [out])
    # One that it was not is no annotated video.
    assert name_outputs(tmp_path, [out]) == {out: tmp_path / "in-2.mp4"}


def test_what_cannot_be_written_is_one_line_and_leaves_nothing(
    tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    video = write_video(tmp_path / "in.mp4", _flat(8))
    judged = _judged(video)
    with pytest.raises(UserError, match="cannot be written"):
        annotate(video, tmp_path / "none" / "out.mp4", judged, PREPARATION, _decide)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]
