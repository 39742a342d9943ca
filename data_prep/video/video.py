"""Evenly spaced frames of one video file, or the one frame of a picture."""

from __future__ import annotations

import dataclasses
import math
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_prep.errors import VideoError
from data_prep.video.decoding import MAX_PIXELS, Header, Take, Walk, open_video
from data_prep.video.frame_folders import FrameFolder, find_frame_folder, read_positions
from data_prep.video.stills import is_picture, read_picture

# A header is believed if the decoded frames agree with it to within this fraction, and as large a
# fraction of a video may be damaged.
_TOLERANCE = 0.1
# A file that lacks this many seconds is not truncated: FLV files state a longer duration.
_SLACK = 0.1


@dataclasses.dataclass(frozen=True)
class Media:
    """Properties of a video or picture file, from its header and the decoded frames.

    Attributes:
        codec: name of the codec in lower case, such as ``h264`` or ``vp9``; of a picture the
            format, such as ``jpeg``.
        width: width of the upright picture with square pixels.
        height: height of the same.
        fps: Frames a second by the header; 0 if it has none, and for a picture.
        frames: frames decoded.
        duration: time from the first frame to the end of the last, in seconds; 0 for a
            picture.
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
        frames: T times uint8 (H, W, 3), RGB, all of one size: that of ``media``, or smaller
            where frames of that size would take more than ``decoding.MAX_BYTES`` together.
        indices: int64 (T,), positions in the video, ascending; a position is repeated where
            the video has fewer than T frames.
        times: float64 (T,), when they are shown, in seconds after the first of the video.
        media: codec, size, rate and length of the file.
    """

    frames: tuple[npt.NDArray[np.uint8], ...]
    indices: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    media: Media


def sample_indices(total: int, count: int) -> npt.NDArray[np.int64]:
    """Return centres of ``count`` equal spans of ``total`` frames, int64 (count,).

    They cover the whole video; with ``total < count`` positions repeat evenly.
    """
    return ((np.arange(count) + 0.5) * total / count).astype(np.int64)


def read_frames(
    path: Path,
    count: int,
    *,
    threads: int = 0,
    positions: npt.NDArray[np.int64] | None = None,
) -> SampledFrames:
    """Read ``count`` frames spread evenly over the whole video.

    The video is decoded once from start to end and only the wanted frames are converted. Seeking
    takes four times longer on H.264, and the walk measures the real length. If the header has no or
    a wrong frame count, a second walk samples the real length, unless all given positions exist.

    A video of fewer than ``count`` frames is accepted from ``count / 2`` frames on (but at
    least 2, unless ``count`` is 1); its frames are then repeated evenly. A file that holds a
    picture, whatever its name, is read with ``count`` 1.

    Args:
        path: the file. Its rotation or mirroring is applied, pixels that are not square are made
            so, and the two fields of interlaced video stay woven. Or a folder of extracted frames
            (:mod:`data_prep.video.frame_folders`).
        count: number of frames, T.
        threads: decoder threads, 0 lets the decoder choose. The frames do not depend on it.
        positions: int64 (T,), ascending; take these frames, such as those of the original for its
            fake. If the video ends before the last of them, they are ignored and the video is
            sampled by itself: ``indices`` of the result shows it.

    Raises:
        VideoError: step ``decode``; the file cannot be read, is empty, no video, cut short,
            damaged, too large or too short.
    """
    folder = find_frame_folder(path)
    if folder is not None:
        return _read_folder(folder, count, positions)
    size, beginning = _look(path)
    if is_picture(beginning):
        return _read_picture(path, count, size)
    with open_video(path, threads) as video:
        header = video.header
        if positions is not None and header.frames and positions[-1] >= header.frames:
            positions = None
        wanted = sample_indices(header.frames, count) if positions is None else positions
        walk = video.walk(wanted)
    _check_walk(walk, header, count)
    right = _as_expected(walk, header, wanted) if positions is None else _has_all(walk, wanted)
    if not right:
        wanted = sample_indices(walk.decoded, count)
        # Frames of two walks would take twice the memory.
        walk.frames.clear()
        with open_video(path, threads) as video:
            walk = video.walk(wanted)
        if not _has_all(walk, wanted):
            raise VideoError("decode", "the file changed while it was read")
    return _collect(walk, header, wanted, size)


def scan_frames(
    path: Path,
    count: int,
    begin: Callable[[int, float], npt.NDArray[np.int64]],
    take: Take,
    *,
    held: int,
    threads: int = 0,
) -> Media:
    """Pass frames of a video to a function one after the other, in one walk.

    It refuses the same files as :func:`read_frames`, some only after frames were handed over.

    Args:
        path: the file; of a picture there is one frame.
        count: frames of a clip, T; a video needs the same fewest frames as for :func:`read_frames`.
        begin: called with the number of frames and the length in seconds of the header (0 if
            unknown); it returns the wanted positions, int64, ascending. It is called again if the
            video has another length: earlier frames are then void.
        take: called with position, time in seconds and picture, uint8 (H, W, 3), of each.
        held: number of them in memory at a time; if ``decoding.MAX_BYTES`` is too small for
            them, frames are scaled down.
        threads: decoder threads, 0 lets the decoder choose.

    Raises:
        VideoError: step ``decode``; as :func:`read_frames`.
    """
    size, beginning = _look(path)
    if is_picture(beginning):
        picture = _read_picture(path, 1, size)
        begin(1, 0.0)
        take(0, 0.0, picture.frames[0])
        return picture.media
    with open_video(path, threads) as video:
        header = video.header
        seconds = header.frames / header.frame_rate if header.frame_rate else 0.0
        wanted = begin(header.frames, seconds)
        walk = video.walk(wanted, take, held=held)
    _check_walk(walk, header, count)
    if not _as_expected(walk, header, wanted):
        wanted = begin(walk.decoded, _duration(walk, header))
        with open_video(path, threads) as video:
            walk = video.walk(wanted, take, held=held)
        if not _has_all(walk, wanted):
            raise VideoError("decode", "the file changed while it was read")
    return _media(walk, header, size)


def _look(path: Path) -> tuple[int, bytes]:
    """Return size and first bytes of a readable file."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            # A pipe would be waited on for ever.
            raise VideoError("decode", "not a regular file")
        with path.open("rb") as file:
            beginning = file.read(16)
    except OSError as error:
        raise VideoError("decode", f"the file cannot be read: {error.strerror}") from None
    if not beginning:
        raise VideoError("decode", "the file is empty")
    return status.st_size, beginning


def _read_picture(path: Path, count: int, size: int) -> SampledFrames:
    if count > 1:
        raise VideoError("decode", "a picture, not a video; pass --frames 1 to use pictures")
    frame, form = read_picture(path)
    height, width = frame.shape[:2]
    media = Media(form, width, height, fps=0.0, frames=1, duration=0.0, bytes=size)
    return SampledFrames((frame,), np.zeros(1, np.int64), np.zeros(1), media)


def _read_folder(
    folder: FrameFolder, count: int, positions: npt.NDArray[np.int64] | None
) -> SampledFrames:
    total = len(folder.names)
    _check_length(total, count)
    if positions is None or positions[-1] >= total:
        positions = sample_indices(total, count)
    frames, form, width, height = read_positions(folder, positions)
    # Nothing states how long a frame is shown.
    media = Media(form, width, height, fps=0.0, frames=total, duration=0.0, bytes=folder.size)
    taken = tuple(frames[position] for position in positions.tolist())
    return SampledFrames(taken, positions, np.zeros(count), media)


def _check_walk(walk: Walk, header: Header, count: int) -> None:
    """Refuse a video that is damaged, cut short or too short."""
    if walk.decoded == 0:
        raise VideoError("decode", _why_nothing(header))
    if walk.decoded < (1 - _TOLERANCE) * header.frames and _ends_early(walk, header):
        raise VideoError(
            "decode",
            f"{walk.decoded} of {header.frames} frames decoded; the file looks truncated",
        )
    if walk.failed > _TOLERANCE * (walk.decoded + walk.failed):
        raise VideoError(
            "decode",
            f"{walk.failed} of {walk.decoded + walk.failed} frames are damaged; get the file again",
        )
    _check_length(walk.decoded, count)


def _check_length(frames: int, count: int) -> None:
    """Refuse a video of too few frames for a clip of ``count``."""
    needed = min(count, max(2, math.ceil(count / 2)))
    if frames < needed:
        raise VideoError(
            "decode",
            f"frames in the video: {frames}; a clip of {count} needs at least {needed}",
        )


def _why_nothing(header: Header) -> str:
    if header.width == 0:
        # The decoder refuses a size above its limit without saying so.
        return (
            f"no frame could be decoded ({header.codec}); the file is damaged, or its frames "
            f"have more than {MAX_PIXELS} pixels"
        )
    return f"no frame could be decoded ({header.codec}); the file is damaged or not a video"


def _ends_early(walk: Walk, header: Header) -> bool:
    """Return whether the file ends before its stated length; a wrong count alone is harmless.

    Sound or subtitles can be longer or shorter than the video, so its own length is preferred.
    """
    reached, stated = walk.seconds, header.seconds
    if stated <= 0:
        reached, stated = walk.longest, header.longest
    if stated <= 0:
        return True
    frame = 1 / header.frame_rate if header.frame_rate else 0.0
    return reached + frame + _SLACK < (1 - _TOLERANCE) * stated


def _as_expected(walk: Walk, header: Header, wanted: npt.NDArray[np.int64]) -> bool:
    error = abs(walk.decoded - header.frames)
    return error <= _TOLERANCE * header.frames and _has_all(walk, wanted)


def _has_all(walk: Walk, wanted: npt.NDArray[np.int64]) -> bool:
    return set(wanted.tolist()) <= walk.met


def _collect(walk: Walk, header: Header, wanted: npt.NDArray[np.int64], size: int) -> SampledFrames:
    frames = tuple(walk.frames[position] for position in wanted.tolist())
    return SampledFrames(frames, wanted, _times(walk, header, wanted), _media(walk, header, size))


def _media(walk: Walk, header: Header, size: int) -> Media:
    return Media(
        codec=header.codec,
        width=walk.width,
        height=walk.height,
        fps=header.frame_rate,
        frames=walk.decoded,
        duration=_duration(walk, header),
        bytes=size,
    )


def _times(walk: Walk, header: Header, wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the times of the frames; without times in the file, by the frame rate."""
    if walk.times:
        return np.array([walk.times[position] for position in wanted.tolist()])
    return wanted / header.frame_rate if header.frame_rate else np.zeros(len(wanted))


def _duration(walk: Walk, header: Header) -> float:
    if walk.last_time > 0:
        return walk.last_time * walk.decoded / (walk.decoded - 1)
    return walk.decoded / header.frame_rate if header.frame_rate else 0.0
