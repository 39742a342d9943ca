"""One walk through a video file, from its first frame to its last.

PyAV decodes: it reports a frame's time, orientation and pixel shape, reads interlaced and AV1
video, and lets limits be set before memory is taken. Its pictures are those of OpenCV to the last
bit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import av
import av.logging
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation

from data_prep.errors import VideoError
from data_prep.video.orientation import Orientation, read_orientation

# FFmpeg describes damaged files on standard error; the quarantine table does it better.
av.logging.set_level(None)

# Largest frame read, in pixels: 8192 x 8192, twice what 8K video has.
MAX_PIXELS = 2**26
# Most memory of the kept frames of one video: sixteen of 4K.
MAX_BYTES = 400_000_000

# Containers of video. Playlists and scripts, which name other files, are not among them.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,asf,ogg,gif,apng,mxf,"
    "nut,dv,wtv,rm,ivf,obu,h261,h263,h264,hevc,vvc,m4v,mjpeg,vc1,amv,gxf,nsv,swf,yuv4mpegpipe"
)
_NO_PICTURE = "no video stream found, only sound"
_NO_VIDEO = "no video stream found; the file is not a video or is truncated"
# Pixels are taken as square unless they are off by more than this, or by more than anyone makes.
_SQUARE, _WIDEST = 1.05, 3.0
_MOST_FRAMES = 2**31
# FFmpeg's decoder of these gives other pictures now and then when it works on frames in parallel.
_UNSTEADY = frozenset({"theora", "vp3"})

Take = Callable[[int, float, npt.NDArray[np.uint8]], None]
"""Called with a frame's position, its time in seconds after the first, and its picture."""

# Without these, frames of more than 8 bits a colour come out darker by up to two levels.
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


@dataclasses.dataclass(frozen=True)
class Header:
    """Header of a file: its video stream before any decoding.

    Attributes:
        codec: name of the codec, such as ``h264``.
        width: width of a stored frame in pixels; 0 if unknown.
        frame_rate: frames a second; 0 if unknown.
        frames: number of frames shown, counted or from the duration; 0 if unknown.
        seconds: length of the video; 0 if the header has only the length of all streams together.
        longest: length of the longest stream; 0 if unknown.
        start: time of the first frame after the first of any stream, in seconds.
    """

    codec: str
    width: int
    frame_rate: float
    frames: int
    seconds: float
    longest: float
    start: float


@dataclasses.dataclass(frozen=True)
class Walk:
    """Result of one walk through a video.

    Attributes:
        met: positions of the wanted frames that exist.
        frames: these frames by position: uint8 (H, W, 3), RGB, upright, all of one size; empty if
            they were handed over instead.
        times: their times in seconds after the first frame, by position; empty if the file has none
            or they do not rise, as in AVI files.
        width: width of the upright picture in pixels; ``frames`` may be smaller.
        height: height of the upright picture in pixels.
        decoded: number of frames decoded.
        failed: number of times the decoder failed, from the first frame on.
        last_time: time of the last frame, in seconds after the first; 0 if unknown.
        seconds: time from the start of the video to the end of its last packet.
        longest: time from the start of the file to the end of the last packet of any stream.
    """

    met: frozenset[int]
    frames: dict[int, npt.NDArray[np.uint8]]
    times: dict[int, float]
    width: int
    height: int
    decoded: int
    failed: int
    last_time: float
    seconds: float
    longest: float


class Video:
    """An open video file; it can be walked once."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        self._container = container
        self._stream = stream
        # How far the packets of a stream reach, in seconds, by its index.
        self._ends: dict[int, float] = {}
        self.header = _header(container, stream)

    def walk(
        self, positions: npt.NDArray[np.int64], take: Take | None = None, *, held: int = 0
    ) -> Walk:
        """Decode to the end and keep the frames at ``positions``, where there are such.

        Args:
            positions: int64 (n,).
            take: is handed the frames as they come, in place of keeping them; their times are by
                the frame rate where the file has none.
            held: number of frames in memory at a time if they are handed over.
        """
        keep = set(positions.tolist())
        met: set[int] = set()
        frames: dict[int, npt.NDArray[np.uint8]] = {}
        times: dict[int, float] = {}
        shape: _Shape | None = None
        orientation = Orientation()
        decoded, failed, first, last, rising = 0, 0, 0.0, -math.inf, True
        for frame in self._decode():
            if frame is None:
                failed += decoded > 0
                continue
            time = -math.inf if frame.time is None else frame.time
            rising = rising and time > last
            last = time
            if decoded == 0:
                first = time
            if shape is None:
                # A key frame's holds for the frames after it.
                orientation = read_orientation(frame) or orientation
            if decoded in keep:
                shape = shape or _shape(frame, orientation, self._stream, held or len(keep))
                met.add(decoded)
                times[decoded] = time - first
                if take is None:
                    frames[decoded] = shape.picture(frame)
                else:
                    take(decoded, self._shown(decoded, time - first, rising), shape.picture(frame))
            decoded += 1
        return Walk(
            met=frozenset(met),
            frames=frames,
            times=times if rising else {},
            width=shape.width if shape else 0,
            height=shape.height if shape else 0,
            decoded=decoded,
            failed=failed,
            last_time=last - first if rising and decoded else 0.0,
            seconds=self._video_end(),
            longest=max(self._ends.values(), default=0.0) - _start(self._container),
        )

    def _shown(self, position: int, time: float, rising: bool) -> float:
        """Return the time of a frame in seconds after the first."""
        rate = self.header.frame_rate
        return time if rising else position / rate if rate else 0.0

    def _decode(self) -> Iterator[av.VideoFrame | None]:
        """Yield the frames in display order; None for an undecodable one."""
        # An error between packets ends the file; its length shows whether it was cut short.
        with contextlib.suppress(av.FFmpegError):
            for packet in self._container.demux():
                time = packet.dts if packet.pts is None else packet.pts
                if time is not None:
                    end = (time + (packet.duration or 0)) * float(packet.time_base or 0)
                    self._ends[packet.stream_index] = max(
                        end, self._ends.get(packet.stream_index, end)
                    )
                # By identity: damage can turn a stream into another of the same index.
                if packet.stream is not self._stream:
                    continue
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    yield None
                else:
                    yield from frames  # type: ignore[misc]

    def _video_end(self) -> float:
        start = self._stream.start_time
        begin = _start(self._container) if start is None else start * _tick(self._stream)
        return self._ends.get(self._stream.index, begin) - begin


def _start(container: av.container.InputContainer) -> float:
    return (container.start_time or 0) / av.time_base


def _tick(stream: av.VideoStream) -> float:
    return float(stream.time_base or 0)


@contextlib.contextmanager
def open_video(path: Path, threads: int) -> Generator[Video]:
    """Open a video file for one walk.

    Args:
        path: a regular file, of any name.
        threads: decoder threads, 0 lets the decoder choose.

    Raises:
        VideoError: it holds no video, or one that cannot be decoded here.
    """
    limits = {"format_whitelist": _CONTAINERS, "max_pixels": str(MAX_PIXELS)}
    try:
        # Absolute, so that no name is taken for a protocol.
        container = av.open(str(path.absolute()), options=limits, metadata_errors="replace")
    except av.FFmpegError:
        raise VideoError("decode", _NO_VIDEO) from None
    with container:
        yield Video(container, _video_stream(container, threads))


def _video_stream(container: av.container.InputContainer, threads: int) -> av.VideoStream:
    # A cover or a thumbnail is a video stream of one picture.
    videos = [
        stream
        for stream in container.streams.video
        if not stream.disposition & av.stream.Disposition.attached_pic
    ]
    if not videos:
        raise VideoError("decode", _NO_PICTURE if container.streams.audio else _NO_VIDEO)
    best = container.streams.best("video")
    stream = best if best in videos else videos[0]
    assert isinstance(stream, av.VideoStream)
    context = stream.codec_context
    if context is None:
        raise VideoError(
            "decode", "no decoder for its codec; the file is damaged, or convert it to H.264"
        )
    check_size(context.width, context.height)
    context.options = {"max_pixels": str(MAX_PIXELS)}
    context.thread_type = "AUTO"
    context.thread_count = 1 if context.codec.canonical_name in _UNSTEADY else threads
    return stream


def check_size(width: int, height: int) -> None:
    """Refuse a picture too large to read, before memory is taken for it.

    Raises:
        VideoError: more pixels than ``MAX_PIXELS``.
    """
    if width * height > MAX_PIXELS:
        raise VideoError(
            "decode",
            f"the header has {width} x {height} pixels; the limit is {MAX_PIXELS} in all",
        )


def _header(container: av.container.InputContainer, stream: av.VideoStream) -> Header:
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    longest = max(0.0, (container.duration or 0) / av.time_base)
    counted, seconds = stream.frames, 0.0
    if "mp4" in container.format.name:
        # Edit lists hide frames: of a video trimmed without encoding, all before the cut.
        counted = sum(not entry.is_discard for entry in stream.index_entries)
        seconds = (stream.duration or 0) * _tick(stream)
    elif counted > 0:
        # A truncated AVI file has the length of its rest, but the full frame count.
        seconds = counted / rate if rate else 0.0
    elif tag := _tagged_end(stream):
        seconds = max(0.0, min(tag, longest) - (stream.start_time or 0) * _tick(stream))
    length = seconds or (stream.duration or 0) * _tick(stream) or longest
    frames = counted if counted > 0 else round(length * rate)
    return Header(
        codec=stream.codec_context.codec.canonical_name,
        width=stream.codec_context.width,
        frame_rate=rate,
        frames=min(max(frames, 0), _MOST_FRAMES),
        seconds=seconds,
        longest=longest,
        start=max(0.0, (stream.start_time or 0) * _tick(stream) - _start(container)),
    )


def _tagged_end(stream: av.VideoStream) -> float:
    """Return the end of the video by the tag of a Matroska file, 0 without one."""
    # With a language it is DURATION-eng.
    tags = (value for key, value in stream.metadata.items() if key.startswith("DURATION"))
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", next(tags, ""), re.ASCII)
    if found is None:
        return 0.0
    hours, minutes, seconds = map(float, found.groups())
    return 3600 * hours + 60 * minutes + seconds


@dataclasses.dataclass(frozen=True)
class _Shape:
    """Conversion of the frames of one video to upright pictures of one size."""

    width: int
    height: int
    scale: float
    orientation: Orientation

    def picture(self, frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
        width, height = (max(1, round(side * self.scale)) for side in (self.width, self.height))
        if self.orientation.exchanged:
            width, height = height, width
        smaller = width * height < frame.width * frame.height
        way = Interpolation.AREA if smaller else Interpolation.BILINEAR
        if frame.format.components[0].bits > 8:
            way |= _EXACT
        picture = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation=way)
        return self.orientation.upright(np.asarray(picture, np.uint8))


def _shape(
    frame: av.VideoFrame, orientation: Orientation, stream: av.VideoStream, count: int
) -> _Shape:
    """Return the shape of all frames, from the first one kept of ``count``."""
    width, height = frame.width, frame.height
    ratio = float(stream.sample_aspect_ratio or 1)
    # Pixels are only ever made more, so nothing of the picture is lost.
    if _SQUARE < ratio <= _WIDEST:
        width = round(width * ratio)
    elif 1 / _WIDEST <= ratio < 1 / _SQUARE:
        height = round(height / ratio)
    if orientation.exchanged:
        width, height = height, width
    scale = min(1.0, math.sqrt(MAX_BYTES / (3 * width * height * count)))
    return _Shape(width, height, scale, orientation)
