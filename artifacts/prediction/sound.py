"""The sound of a video carried over into another file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

if TYPE_CHECKING:
    from av.container import OutputContainer

# Sound format of MP4 players; other sound is encoded again.
_COPIED = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"})
# Sound that ends at most this many seconds before the length in the file is not damaged.
_SLACK = 0.5


class Sound:
    """The first sound track of a video, on its way into an MP4.

    It is copied as it is, or encoded as AAC where its codec is none that MP4 players expect. If
    it is damaged, the picture continues without sound.

    Args:
        path: the video.
        output: open for writing, before anything is written.

    Attributes:
        video_start: start of the picture, in seconds after the earlier of both.
        remark: note on the sound if not all of it was kept; or empty.
    """

    def __init__(self, path: Path, output: OutputContainer) -> None:
        self.remark = ""
        self._output = output
        self._input = av.open(str(path.absolute()), metadata_errors="replace")
        video, sound = (self._input.streams.best(kind) for kind in ("video", "audio"))
        starts = [_start(stream) for stream in (video, sound) if stream is not None]
        self._first = min(starts, default=0.0)
        self.video_start = _start(video) - self._first if video is not None else 0.0
        self._length = 0.0
        self._packets: Iterator[Any] = iter(())
        self._next: Any = None
        self._end = -math.inf
        if sound is None:
            return
        codec: Any = sound.codec_context
        if codec is None or not codec.sample_rate:
            self.remark = "the sound is left out: its codec is unknown or damaged"
            return
        self._length = _start(sound) - self._first + _seconds(sound.duration, sound)
        self._copied = codec.codec.canonical_name in _COPIED
        if self._copied:
            self._stream: Any = output.add_stream_from_template(sound)
        else:
            self._stream = output.add_stream("aac", rate=codec.sample_rate)
            self._stream.layout = "stereo" if codec.channels > 1 else "mono"
            self._resampler = av.AudioResampler("fltp", self._stream.layout, codec.sample_rate)
        self._packets = self._all(sound)

    def close(self) -> None:
        """Close the video."""
        self._input.close()

    def end(self) -> None:
        """Write the rest, and check its length against the file."""
        self.until(math.inf)
        heard = max(0.0, self._end)
        if not self.remark and self._length - heard > _SLACK:
            self.remark = f"the sound ends after {heard:.1f} of {self._length:.1f} s: it is damaged"

    def until(self, seconds: float) -> None:
        """Write the sound before a time of the output."""
        try:
            while True:
                if self._next is None:
                    self._next = next(self._packets, None)
                if self._next is None or self._time(self._next) > seconds:
                    return
                packet, self._next = self._next, None
                self._write(packet)
        except (av.FFmpegError, ValueError, MemoryError):
            self._packets, self._next = iter(()), None
            heard = max(0.0, self._end)
            self.remark = f"the sound is damaged and ends after {heard:.1f} s"

    def _all(self, sound: Any) -> Iterator[Any]:
        """Yield the packets of the output in order."""
        for packet in self._input.demux(sound):
            if self._copied:
                if packet.dts is not None:
                    yield packet
                continue
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self.remark = "the sound is damaged; its unreadable parts are left out"
                continue
            for frame in frames:
                for part in self._resampler.resample(frame):
                    yield from self._stream.encode(part)
        if not self._copied:
            for part in self._resampler.resample(None):
                yield from self._stream.encode(part)
            yield from self._stream.encode(None)

    def _time(self, packet: Any) -> float:
        return float(packet.dts * packet.time_base) - self._first

    def _write(self, packet: Any) -> None:
        time = self._time(packet)
        if time <= self._end:
            # Players refuse a file whose times go back.
            return
        self._end = time
        shift = round(self._first / packet.time_base)
        packet.dts -= shift
        packet.pts = packet.dts if packet.pts is None else packet.pts - shift
        packet.stream = self._stream
        self._output.mux(packet)


def _start(stream: Any) -> float:
    """Return the start of a stream in seconds."""
    return _seconds(stream.start_time, stream)


def _seconds(ticks: int | None, stream: Any) -> float:
    return float((ticks or 0) * (stream.time_base or 0))
