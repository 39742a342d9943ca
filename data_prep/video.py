"""Evenly spaced frames of one video file."""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.errors import VideoError

# Both decoders describe damaged files on standard error; the quarantine table does it better.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# A header is believed when what comes out agrees with it to within this fraction.
_TOLERANCE = 0.1


@dataclasses.dataclass(frozen=True)
class Media:
    """What a file is, as far as it was decoded.

    Attributes:
        codec: four-character code in lower case, such as ``avc1``; empty where none is known.
        width: of the picture as shown, in pixels.
        height: of the picture as shown, in pixels.
        fps: frames a second as the header says; 0 where it does not.
        frames: frames decoded.
        duration: from the first frame shown to the end of the last, in seconds.
        bytes: size of the file.
    """

    codec: str
    width: int
    height: int
    fps: float
    frames: int
    duration: float
    bytes: int


@dataclasses.dataclass(frozen=True)
class SampledFrames:
    """Frames taken from one video.

    Attributes:
        frames: T times uint8 (H, W, 3), RGB, all of one size.
        indices: int64 (T,), positions in the video, ascending; a position is repeated where
            the video has fewer than T frames.
        times: float64 (T,), presentation times in seconds.
        media: what the file is.
    """

    frames: tuple[npt.NDArray[np.uint8], ...]
    indices: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    media: Media


def sample_indices(total: int, count: int) -> npt.NDArray[np.int64]:
    """Centres of ``count`` equal spans of a video of ``total`` frames, int64 (count,).

    They cover the whole length; with ``total < count`` positions repeat evenly.
    """
    return ((np.arange(count) + 0.5) * total / count).astype(np.int64)


def read_frames(path: Path, count: int, *, threads: int = 0) -> SampledFrames:
    """Read ``count`` frames spread evenly over the whole video.

    The video is decoded once from start to end and only the frames wanted are converted:
    seeking would be ten times slower, and the walk tells the real length. Where the header
    gave no frame count or a wrong one, a second walk samples the real length.

    A video of fewer than ``count`` frames is accepted from ``count / 2`` frames on (but at
    least 2, unless ``count`` is 1); its frames are then repeated evenly.

    Args:
        path: the video file. A rotation noted in it is applied.
        count: how many frames, T.
        threads: decoder threads, 0 lets the decoder choose. The frames do not depend on it.

    Raises:
        VideoError: step ``decode``; the file cannot be read, is empty, no video, cut short or
            too short.
    """
    _check_readable(path)
    walk = _walk(path, count, None, threads)
    if walk.decoded == 0:
        raise VideoError("decode", "no frame could be decoded; the file is damaged or no video")
    if walk.cut_short:
        found = len(walk.frames)
        raise VideoError("decode", f"{found} of {count} frames decoded; the file looks truncated")
    needed = min(count, max(2, math.ceil(count / 2)))
    if walk.decoded < needed:
        raise VideoError(
            "decode",
            f"frames in the video: {walk.decoded}; a clip of {count} needs at least {needed}",
        )
    if not walk.header_right:
        walk = _walk(path, count, walk.decoded, threads)
    if walk.missing:
        found = len(walk.frames)
        raise VideoError("decode", f"{found} of {count} frames decoded; the file looks damaged")
    return _collect(walk, path.stat().st_size)


@dataclasses.dataclass(frozen=True)
class _Walk:
    """What one walk through a video gave: the frames asked for, and its real length."""

    wanted: npt.NDArray[np.int64]
    frames: dict[int, npt.NDArray[np.uint8]]
    times: dict[int, float]
    header_count: int
    frame_rate: float
    decoded: int
    first_time: float
    last_time: float
    codec: str

    @property
    def missing(self) -> bool:
        return not set(self.wanted.tolist()) <= self.frames.keys()

    @property
    def header_right(self) -> bool:
        error = abs(self.decoded - self.header_count)
        return error <= _TOLERANCE * self.header_count and not self.missing

    @property
    def cut_short(self) -> bool:
        """Both frames and time end before the header says; a wrong count alone is harmless."""
        if self.header_count <= 0 or self.decoded >= (1 - _TOLERANCE) * self.header_count:
            return False
        if self.frame_rate <= 0:
            return True
        return self.last_time < (1 - _TOLERANCE) * (self.header_count - 1) / self.frame_rate


def _walk(path: Path, count: int, total: int | None, threads: int) -> _Walk:
    """Decode to the end, keeping ``count`` frames of ``total`` (of the header's count if None)."""
    capture = _open(path, threads)
    try:
        header_count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        frame_rate = _finite(capture.get(cv2.CAP_PROP_FPS))
        codec = _codec(capture)
        wanted = sample_indices(max(header_count, 0) if total is None else total, count)
        keep = set(wanted.tolist())
        frames: dict[int, npt.NDArray[np.uint8]] = {}
        times: dict[int, float] = {}
        position, first_time, last_time = 0, 0.0, 0.0
        while capture.grab():
            last_time = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if position == 0:
                first_time = last_time
            if position in keep:
                found, frame = capture.retrieve()
                if found:
                    frames[position] = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                    times[position] = last_time
            position += 1
    finally:
        capture.release()
    return _Walk(
        wanted, frames, times, header_count, frame_rate, position, first_time, last_time, codec
    )


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) and value > 0 else 0.0


def _codec(capture: cv2.VideoCapture) -> str:
    code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    text = code.to_bytes(4, "little").decode("latin-1")
    return "".join(letter for letter in text if letter.isascii() and letter.isprintable()).lower()


def _collect(walk: _Walk, size: int) -> SampledFrames:
    positions = walk.wanted.tolist()
    height, width = walk.frames[positions[0]].shape[:2]
    for position, frame in walk.frames.items():
        if frame.shape[:2] != (height, width):
            walk.frames[position] = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    times = np.array([walk.times[position] for position in positions], np.float64)
    if not times.any() and walk.frame_rate > 0:
        times = walk.wanted / walk.frame_rate
    frames = tuple(walk.frames[position] for position in positions)
    media = Media(walk.codec, width, height, walk.frame_rate, walk.decoded, _duration(walk), size)
    return SampledFrames(frames, walk.wanted, times, media)


def _duration(walk: _Walk) -> float:
    span = walk.last_time - walk.first_time
    if span > 0 and walk.decoded > 1:
        return span * walk.decoded / (walk.decoded - 1)
    return walk.decoded / walk.frame_rate if walk.frame_rate else 0.0


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise VideoError("decode", "the file is empty")
    except OSError as error:
        raise VideoError("decode", f"the file cannot be read: {error.strerror}") from None


def _open(path: Path, threads: int) -> cv2.VideoCapture:
    # Absolute, so that no name is taken for a protocol; FFmpeg only, as others read image series.
    name = str(path.absolute())
    options = [cv2.CAP_PROP_N_THREADS, threads] if threads else []
    try:
        name.encode()
    except UnicodeEncodeError:
        # OpenCV takes text, so a name that is no text is reached through its descriptor.
        with path.open("rb") as file:
            capture = cv2.VideoCapture(f"/dev/fd/{file.fileno()}", cv2.CAP_FFMPEG, options)
    else:
        capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG, options)
    if not capture.isOpened():
        raise VideoError("decode", "no video stream found; the file is no video or is cut short")
    return capture
