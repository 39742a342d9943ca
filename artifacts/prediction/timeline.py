"""Timeline of a face: the scores of its clips over time."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from artifacts.metrics.averaging import average
from artifacts.prediction.undecided_band import FAKE_VERDICT


@dataclasses.dataclass(frozen=True)
class Moment:
    """Stretch of a video with its verdict.

    Attributes:
        start, end: limits in seconds.
        probability: fake probability, calibrated, 0 to 1.
        label: ``real``, ``fake`` or ``undecided``.
    """

    start: float
    end: float
    probability: float
    label: str


@dataclasses.dataclass(frozen=True)
class Segment:
    """A stretch that is called fake throughout.

    Attributes:
        start, end: limits in seconds.
        probability: the highest in it.
    """

    start: float
    end: float
    probability: float


def spans(
    clips: Sequence[npt.NDArray[np.int64]],
    sampled: npt.NDArray[np.int64],
    times: Mapping[int, float],
    duration: float,
) -> list[tuple[float, float]]:
    """Return the stretches of a video that clips stand for, in seconds.

    A frame stands for the time halfway to its neighbours among all sampled frames. So clips of the
    same samples begin and end at the same moments.

    Args:
        clips: int64 (T,) each, positions of their frames.
        sampled: int64 (n,), ascending, positions of all frames of such clips.
        times: times of all their frames in seconds, by position.
        duration: length of the video.
    """
    shown = np.array([times[at] for at in sampled.tolist()])
    middles = (shown[1:] + shown[:-1]) / 2
    edges = np.concatenate([[0.0], middles, [max(duration, float(shown[-1]))]])
    found = []
    for clip in clips:
        first, last = np.searchsorted(sampled, [clip[0], clip[-1]])
        found.append((round(float(edges[first]), 3), round(float(edges[last + 1]), 3)))
    return found


def join_moments(moments: Sequence[Moment], decide: Callable[[float], str]) -> list[Moment]:
    """Combine overlapping clips to stretches that do not overlap, by time.

    The logits of overlapping clips are averaged. Without a clip, there is a gap.
    """
    if not moments:
        return []
    starts = np.array([moment.start for moment in moments])
    ends = np.array([moment.end for moment in moments])
    probabilities = np.array([moment.probability for moment in moments])
    edges = np.unique(np.concatenate([starts, ends]))
    found = []
    for start, end in itertools.pairwise(edges.tolist()):
        covering = (starts <= start) & (ends >= end)
        if covering.any():
            answers = probabilities[covering]
            probability = float(answers[0] if len(answers) == 1 else average(answers))
            found.append(Moment(start, end, probability, decide(probability)))
    return found


def fake_segments(moments: Sequence[Moment]) -> tuple[Segment, ...]:
    """Return the stretches called fake, joined where one follows another.

    Args:
        moments: result of :func:`join_moments`.
    """
    found: list[Segment] = []
    for moment in moments:
        if moment.label != FAKE_VERDICT:
            continue
        one = Segment(moment.start, moment.end, moment.probability)
        if found and found[-1].end == one.start:
            before = found.pop()
            highest = max(before.probability, one.probability)
            one = Segment(before.start, one.end, highest)
        found.append(one)
    return tuple(found)
