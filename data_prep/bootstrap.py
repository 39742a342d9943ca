"""Intervals over people: percentile bootstrap that draws whole identity groups."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

BOOTSTRAPS = 1000
CONFIDENCE = 0.95
# Weights held in memory at a time, when many draws are measured at once.
_WEIGHTS = 2**14

Interval = tuple[float, float] | None


def group_intervals(
    measure: Callable[[npt.NDArray[np.integer]], dict[str, float]],
    labels: npt.NDArray[np.integer],
    groups: npt.NDArray[np.str_],
    seed: int,
) -> dict[str, Interval]:
    """Compute percentile intervals of every metric from draws of whole identity groups.

    Clips of one person are not independent, so people are drawn, not clips. A draw that lacks a
    label has no AUC and is drawn again; with fewer than two groups there is no interval.

    Args:
        measure: metrics by name where clip i counts ``weights[i]`` times, whole numbers.
        labels: (N,), 1 is fake. Where one label alone is there, no draw can lack the other.
        groups: (N,), identity group of each clip.
        seed: seed of the draws.

    Returns:
        95% intervals by name, None where there is none.
    """
    names = list(measure(np.ones(len(labels), np.int64)))
    drawn = [measure(weights) for weights in _draws(labels, groups, seed)]
    return _percentiles({name: [values[name] for values in drawn] for name in names})


def batch_intervals(
    measure: Callable[[npt.NDArray[np.integer]], Mapping[str, npt.NDArray[np.floating]]],
    labels: npt.NDArray[np.integer],
    groups: npt.NDArray[np.str_],
    seed: int,
) -> dict[str, Interval]:
    """Compute :func:`group_intervals` from the same draws, many at once.

    Args:
        measure: metrics by name, (B,) each, where in row b clip i counts ``weights[b, i]`` times.
        labels: (N,), 1 is fake.
        groups: (N,), identity group of each clip.
        seed: seed of the draws.
    """
    together = max(1, _WEIGHTS // max(len(labels), 1))
    draws = _draws(labels, groups, seed)
    drawn: dict[str, list[float]] = {}
    while batch := list(itertools.islice(draws, together)):
        for name, values in measure(np.stack(batch)).items():
            drawn.setdefault(name, []).extend(values.tolist())
    if not drawn:
        return dict.fromkeys(measure(np.ones((1, len(labels)), np.int64)))
    return _percentiles(drawn)


def _draws(
    labels: npt.NDArray[np.integer], groups: npt.NDArray[np.str_], seed: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the weight of each clip in every draw, (N,).

    No draw has fewer than two groups.
    """
    people, person = np.unique(groups, return_inverse=True)
    if len(people) < 2:
        return
    sides = [labels == label for label in np.unique(labels)]
    rng = np.random.default_rng(seed)
    taken = 0
    for _ in range(10 * BOOTSTRAPS):
        picked = rng.integers(0, len(people), len(people))
        weights = np.bincount(picked, minlength=len(people))[person]
        if all(np.any(weights[side]) for side in sides):
            yield weights
            taken += 1
        if taken == BOOTSTRAPS:
            return


def _percentiles(drawn: Mapping[str, Sequence[float]]) -> dict[str, Interval]:
    """Return the interval of each figure from the draws in which it is defined: no NaN."""
    tail = 100 * (1 - CONFIDENCE) / 2
    intervals: dict[str, Interval] = {}
    for name, values in drawn.items():
        if not values:
            intervals[name] = None
            continue
        low, high = np.round(np.nanpercentile(values, [tail, 100 - tail]), 12)
        intervals[name] = float(low), float(high)
    return intervals
