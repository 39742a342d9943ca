"""Annotated copy of a judged video, with results on every frame and its sound."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

from artifacts.prediction.overlay import FacePath, Overlay
from artifacts.prediction.sound import Sound
from artifacts.prediction.sources import MARK
from artifacts.prediction.timeline import join_moments
from artifacts.prediction.verdict import Judged, NoVerdict
from artifacts.prediction.video_frames import Watched
from artifacts.run_directory import replace_file
from data_prep.errors import DfsearchError, UserError, VideoError
from data_prep.preparation.clip import Preparation
from data_prep.video.decoding import open_video
from data_prep.video.stills import is_picture, read_picture

# Ticks a second: those of MPEG, in which the times of any frame rate come out even enough.
_TICKS = 90_000
_QUALITY = {"crf": "20", "preset": "veryfast"}
# A picture is shown for so many frames, one second.
_STILL_FRAMES, _STILL_RATE = 25, 25
_BT709 = 1


def annotate(
    path: Path,
    out: Path,
    judged: Judged,
    preparation: Preparation,
    decide: Callable[[float], str],
) -> list[str]:
    """Write a judged video as MP4 with boxes, running scores, a time bar, heat and its sound.

    Every frame is kept, at its own time, upright, with square pixels and even sides. Where a face
    has no running score its box is grey. The sound is copied, or encoded as AAC where MP4 players
    would not know it.

    Args:
        path: the video or picture.
        out: the file to write, whole or not at all.
        judged: Verdict of a :class:`~artifacts.prediction.predict.Predictor`; heat is drawn if the
            predictor was ``looking``.
        preparation: settings of its crops.
        decide: the verdict on a probability.

    Returns:
        A note on the sound if not all of it was kept.

    Raises:
        UserError: the file cannot be written, or the video not be read again.
    """
    watched = judged.watched
    if watched is None:
        return []
    overlay = Overlay(
        None if isinstance(judged.answer, NoVerdict) else judged.answer,
        _paths(judged, watched, decide),
        preparation,
        watched.media.duration,
    )
    try:
        with replace_file(out) as temporary:
            try:
                return _write(path, temporary, watched, overlay, with_sound=True)
            except _SoundError:
                remarks = _write(path, temporary, watched, overlay, with_sound=False)
                return ["the sound is left out: an MP4 cannot hold it", *remarks]
    except VideoError as error:
        raise UserError(f"{out} cannot be written: {path} changed ({error})") from None
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}") from None


class _SoundError(DfsearchError):
    """The sound keeps a file from being begun."""


def _paths(judged: Judged, watched: Watched, decide: Callable[[float], str]) -> list[FacePath]:
    numbers = {number: face for face, number in judged.numbers.items()}
    return [
        FacePath.from_face(
            verdict,
            join_moments(verdict.timeline, decide),
            [clip for clip in watched.clips if clip.face == numbers[verdict.number]],
        )
        for verdict in judged.faces
    ]


def _write(
    path: Path, out: Path, watched: Watched, overlay: Overlay, *, with_sound: bool
) -> list[str]:
    with path.open("rb") as file:
        still = is_picture(file.read(16))
    with contextlib.ExitStack() as opened:
        output = opened.enter_context(
            av.open(str(out), "w", format="mp4", options={"movflags": "+faststart"})
        )
        output.metadata["comment"] = MARK
        rate = Fraction(watched.media.fps or _STILL_RATE).limit_denominator(1001)
        picture = _Pictures(output, rate, watched.media.width, watched.media.height)
        sound = None
        wanted = with_sound and not still
        try:
            if wanted:
                sound = opened.enter_context(contextlib.closing(Sound(path, output)))
            output.start_encoding()
        except (av.FFmpegError, ValueError):
            if not wanted:
                raise
            raise _SoundError from None
        start = sound.video_start if sound else 0.0

        def write(_position: int, time: float, frame: npt.NDArray[np.uint8]) -> None:
            if sound:
                sound.until(start + time)
            picture.write(overlay.draw(frame, time), start + time)

        _each(path, still, watched, write)
        picture.end()
        if sound:
            sound.end()
            return [sound.remark] if sound.remark else []
    return []


def _each(
    path: Path,
    still: bool,
    watched: Watched,
    write: Callable[[int, float, npt.NDArray[np.uint8]], None],
) -> None:
    """Call with every frame."""
    if still:
        frame, _ = read_picture(path)
        for at in range(_STILL_FRAMES):
            write(at, at / _STILL_RATE, frame)
        return
    with open_video(path, 0) as video:
        video.walk(np.arange(watched.media.frames), write, held=1)


class _Pictures:
    """The video stream of an output."""

    def __init__(self, output: Any, rate: Fraction, width: int, height: int) -> None:
        self._output = output
        self._rate = rate
        stream = output.add_stream("libx264", rate=rate, options=dict(_QUALITY))
        # H.264 of full players wants even sides.
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, _TICKS)
        context.color_range, context.colorspace = ColorRange.MPEG, _BT709
        context.color_primaries, context.color_trc = _BT709, _BT709
        self._stream = stream
        self._last = -1

    def write(self, picture: npt.NDArray[np.uint8], time: float) -> None:
        """Write a frame, uint8 (H, W, 3), RGB, to be shown at a time in seconds."""
        height, width = picture.shape[:2]
        below, right = self._stream.height - height, self._stream.width - width
        if below or right:
            picture = np.asarray(
                cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8
            )
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        self._last = max(self._last + 1, round(time * _TICKS))
        frame.pts, frame.time_base = self._last, Fraction(1, _TICKS)
        frame.duration = round(_TICKS / self._rate)
        self._mux(self._stream.encode(frame))

    def end(self) -> None:
        """Write the remaining frames of the encoder."""
        self._mux(self._stream.encode(None))

    def _mux(self, packets: Iterator[Any]) -> None:
        for packet in packets:
            self._output.mux(packet)
