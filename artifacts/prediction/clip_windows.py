"""Choice of the frames of a video for its clips: those that judge it, and sliding ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from data_prep.video.video import sample_indices

# Of a model that frames alone decide, whatever their order: samples a second.
DENSITY = 8.0
# Clips of the training length follow each other at this part of their length.
_HOP_AS_TRAINED = 4
_HOP = 2


@dataclasses.dataclass(frozen=True)
class Pace:
    """Spacing and length of the clips of a video.

    Attributes:
        frames: frames of a clip, T.
        longest: seconds; a longer video is judged by several clips, none longer than this.
        spacing: distance of the frames of a sliding clip, in seconds.
        hop: samples from one sliding clip to the next.
        windows: number of clips for every stretch of ``longest`` seconds.
    """

    frames: int
    longest: float
    spacing: float
    hop: int
    windows: int = 1


def choose_pace(
    frames: int, trained_on: tuple[float, float], *, by_frames_alone: bool, windows: int = 1
) -> Pace:
    """Return the pace that is nearest to training.

    If a model ignores the order and distances of frames, sliding clips are short, at eight frames a
    second. For other models they have the usual length of training.

    Args:
        frames: frames of a clip, T.
        trained_on: median and greatest length of the training videos, in seconds.
        by_frames_alone: whether the model ignores order and distances of the frames.
        windows: number of clips for every stretch of a video.
    """
    median, longest = trained_on
    if by_frames_alone:
        return Pace(frames, longest, 1 / DENSITY, max(1, frames // _HOP), windows)
    return Pace(frames, longest, median / frames, max(1, frames // _HOP_AS_TRAINED), windows)


@dataclasses.dataclass(frozen=True)
class Clip:
    """Frames that are scored together.

    Attributes:
        positions: int64 (T,), ascending; those of a video too short are repeated.
        judges: whether its answer is one of those that the verdict is made of; else it slides.
    """

    positions: npt.NDArray[np.int64]
    judges: bool


def place_clips(total: int, seconds: float, pace: Pace) -> list[Clip]:
    """Place the clips of a video; return them by their last frames.

    A video no longer than ``pace.longest`` is judged by the clip that a store would hold: evenly
    spaced frames of its whole length. A longer video is judged by several consecutive clips, so
    that no distance between frames is greater than in training. If a video is long enough,
    overlapping sliding clips give a timeline from its start to its end.

    Args:
        total: frames in the video.
        seconds: its length, 0 if unknown.
        pace: spacing and length of the clips.
    """
    stretches = max(1, min(math.ceil(seconds / pace.longest), total // pace.frames))
    windows = pace.windows
    # The shortest clip of this number of frames.
    if total < math.ceil(stretches * windows * pace.frames / 2):
        windows = 1
    dealt = sample_indices(total, stretches * windows * pace.frames)
    dealt = dealt.reshape(stretches, pace.frames, windows).swapaxes(1, 2)
    clips = [Clip(positions, judges=True) for positions in dealt.reshape(-1, pace.frames)]
    samples = min(round(seconds / pace.spacing), total)
    if samples >= pace.frames + pace.hop:
        grid = sample_indices(total, samples)
        last = samples - pace.frames
        starts = [*range(0, last, pace.hop), last]
        clips += [Clip(grid[at : at + pace.frames], judges=False) for at in starts]
    return sorted(clips, key=lambda clip: int(clip.positions[-1]))


Emit = Callable[[Clip, tuple[npt.NDArray[np.uint8], ...], npt.NDArray[np.float64]], None]


class Gatherer:
    """Collection of clips from consecutive frames, which are dropped after use.

    Args:
        pace: spacing and length of the clips.
        begun: called when a walk through the video begins, and again if it must be repeated.
        emit: called with every clip, its T frames and their times in seconds, once it is whole.
    """

    def __init__(self, pace: Pace, begun: Callable[[], None], emit: Emit) -> None:
        self._pace = pace
        self._begun = begun
        self._emit = emit

    def begin(self, total: int, seconds: float) -> npt.NDArray[np.int64]:
        """See :func:`data_prep.video.video.scan_frames`."""
        self._begun()
        clips = place_clips(total, seconds, self._pace)
        self._due: list[Clip] = clips[::-1]
        self._needed = _last_needed(clips)
        self._held: dict[int, tuple[npt.NDArray[np.uint8], float]] = {}
        return np.unique(np.concatenate([clip.positions for clip in clips]))

    def take(self, position: int, time: float, frame: npt.NDArray[np.uint8]) -> None:
        """See :func:`data_prep.video.video.scan_frames`."""
        self._held[position] = frame, time
        while self._due and self._due[-1].positions[-1] <= position:
            clip = self._due.pop()
            held = [self._held[at] for at in clip.positions.tolist()]
            frames, times = zip(*held, strict=True)
            self._emit(clip, frames, np.array(times))
        for at in [at for at in self._held if self._needed[at] <= position]:
            del self._held[at]


def _last_needed(clips: Sequence[Clip]) -> dict[int, int]:
    """Return for every frame position the last position of the clips that contain it."""
    needed: dict[int, int] = {}
    for clip in clips:
        for at in clip.positions.tolist():
            needed[at] = max(needed.get(at, 0), int(clip.positions[-1]))
    return needed
