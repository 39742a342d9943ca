"""Exact bounds for figures that are equal in every draw of people.

A bootstrap draws from the errors that were made. If a detector made none, every draw is perfect and
the interval has no width. The exact bound of Clopper and Pearson ("The Use of Confidence or
Fiducial Limits Illustrated in the Case of the Binomial", 1934) replaces it. With no error among n
independent people, the bound of the true rate is 1 - 0.025 ** (1 / n). Above it, an error would
have occurred in 97.5% of cases. For large n the bound is about 3.7 / n.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from data_prep.bootstrap import CONFIDENCE, Interval

_TAIL = (1 - CONFIDENCE) / 2
_NEAR = 1e-9


def apply_bounds(
    values: Mapping[str, float],
    intervals: Mapping[str, Interval],
    labels: npt.NDArray[np.integer],
    groups: npt.NDArray[np.str_],
    called: npt.NDArray[np.bool_],
) -> tuple[dict[str, Interval], dict[str, int]]:
    """Return the intervals with those of no width replaced.

    An interval without width becomes the exact bound if the figure is a share of people and is 0
    or 1; otherwise it becomes None. A person counts once, whatever the number of clips.

    Args:
        values: Figures by the names of :class:`artifacts.metrics.measures.Measure`.
        intervals: Bootstrap intervals by the same names.
        labels: (N,), 1 is fake.
        groups: (N,), identity group of each clip.
        called: (N,), whether the clip is called fake.

    Returns:
        Intervals by name, and the number of people or pairs of each bound.
    """
    found = dict(intervals)
    bounds: dict[str, int] = {}
    people = _independent(labels, groups, called)
    for name, interval in intervals.items():
        bound = widen_interval(interval, values[name], people.get(name, 0))
        if bound is interval:
            continue
        if bound is not None:
            bounds[name] = people[name]
            if name == "f1":
                # F1 as a function of the share of correct calls among fakes and clips called fake.
                bound = 2 * bound[0] / (1 + bound[0]), 2 * bound[1] / (1 + bound[1])
        found[name] = bound
    return found, bounds


def widen_interval(interval: Interval, value: float, people: int) -> Interval:
    """Return an interval, or the exact bound or None if it has no width.

    Args:
        interval: Bootstrap interval.
        value: The figure.
        people: Number of independent people or pairs in it; 0 if it is no share.
    """
    if interval is None or interval[1] - interval[0] > _NEAR:
        return interval
    if not people or min(value, 1 - value) > _NEAR:
        return None
    least = _TAIL ** (1 / people)
    return (least, 1.0) if value > 0.5 else (0.0, 1 - least)


def independent_pairs(labels: npt.NDArray[np.integer], groups: npt.NDArray[np.str_]) -> int:
    """Return the largest number of disjoint pairs of a fake and a real of different people."""
    fakes, reals = (len(np.unique(groups[labels == label])) for label in (1, 0))
    return min(fakes, reals, len(np.unique(groups)) // 2)


def _independent(
    labels: npt.NDArray[np.integer], groups: npt.NDArray[np.str_], called: npt.NDArray[np.bool_]
) -> dict[str, int]:
    """Return the number of independent people or pairs of each figure."""

    def count(rows: npt.NDArray[np.bool_]) -> int:
        return len(np.unique(groups[rows]))

    fake = labels == 1
    everyone, fakes, reals = count(fake | ~fake), count(fake), count(~fake)
    return {
        "auc": independent_pairs(labels, groups),
        "eer": min(fakes, reals),
        "tpr_at_1_percent_fpr": fakes,
        "tpr_at_0_1_percent_fpr": fakes,
        "accuracy": everyone,
        "precision": count(called),
        "recall": fakes,
        "false_alarm_rate": reals,
        "f1": count(fake | called),
    }
