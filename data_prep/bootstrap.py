"""Intervals over people: percentile bootstrap that draws whole identity groups."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

BOOTSTRAPS = 1000
CONFIDENCE = 0.95

Interval = tuple[float, float] | None


def group_intervals(
    measure: Callable[[npt.NDArray[np.integer]], dict[str, float]],
    labels: npt.NDArray[np.integer],
    groups: npt.NDArray[np.str_],
    seed: int,
) -> dict[str, Interval]:
    """Percentile intervals of every metric from draws of whole identity groups.

    Clips of one person are not independent, so people are drawn, not clips. A draw that lacks a
    label has no AUC and is drawn again; with fewer than two groups there is no interval.

    Args:
        measure: metrics by name where clip i counts ``weights[i]`` times, whole numbers.
        labels: (N,), 1 is fake. Where one label alone is there, no draw can lack the other.
        groups: (N,), identity group of each clip.
        seed: of the draws.

    Returns:
        95% intervals by name, None where there is none.
    """
    people, person = np.unique(groups, return_inverse=True)
    names = list(measure(np.ones(len(labels), np.int64)))
    if len(people) < 2:
        return dict.fromkeys(names)
    sides = [labels == label for label in np.unique(labels)]
    rng = np.random.default_rng(seed)
    draws: list[dict[str, float]] = []
    for _ in range(10 * BOOTSTRAPS):
        picked = rng.integers(0, len(people), len(people))
        weights = np.bincount(picked, minlength=len(people))[person]
        if all(np.any(weights[side]) for side in sides):
            draws.append(measure(weights))
        if len(draws) == BOOTSTRAPS:
            break
    tail = 100 * (1 - CONFIDENCE) / 2
    intervals: dict[str, Interval] = {}
    for name in names:
        edges = np.nanpercentile([draw[name] for draw in draws], [tail, 100 - tail])
        low, high = np.round(edges, 12)
        intervals[name] = float(low), float(high)
    return intervals
