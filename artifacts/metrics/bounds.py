"""What can be said of a figure when every draw of people gives the same.

A bootstrap draws from the errors that were made. Where a detector made none, each draw is perfect
and the interval has no width, as if a handful of people had proved it. The exact bound of Clopper
and Pearson ("The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial",
1934) stands in its place: with no error among n independent people, a true rate above
1 - 0.025 ** (1 / n) would have shown one in 97.5% of cases. For large n that is about 3.7 / n.
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
    """Intervals of which none lacks a width in silence.

    One without width becomes the exact bound where the figure is 0 or 1 and a count of people
    stands behind it, and None elsewhere. A person counts as one however many clips there are of
    him or her.

    Args:
        values: figures by the names of :class:`artifacts.metrics.measures.Measure`.
        intervals: by bootstrap, of the same names.
        labels: (N,), 1 is fake.
        groups: (N,), identity group of each clip.
        called: (N,), which are called fake.

    Returns:
        Intervals by name, and of the bounds among them how many people or pairs they speak of.
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
                # Of the share of right calls among all fakes and all called so, F1 is this.
                bound = 2 * bound[0] / (1 + bound[0]), 2 * bound[1] / (1 + bound[1])
        found[name] = bound
    return found, bounds


def widen_interval(interval: Interval, value: float, people: int) -> Interval:
    """An interval as it is, but where it has no width the exact bound of a share, or None.

    Args:
        interval: by bootstrap.
        value: of the share.
        people: independent ones, or pairs, that stand behind it; 0 of what is no share.
    """
    if interval is None or interval[1] - interval[0] > _NEAR:
        return interval
    if not people or min(value, 1 - value) > _NEAR:
        return None
    least = _TAIL ** (1 / people)
    return (least, 1.0) if value > 0.5 else (0.0, 1 - least)


def independent_pairs(labels: npt.NDArray[np.integer], groups: npt.NDArray[np.str_]) -> int:
    """How many pairs of a fake of one person and a real of another there are, nobody in two."""
    fakes, reals = (len(np.unique(groups[labels == label])) for label in (1, 0))
    return min(fakes, reals, len(np.unique(groups)) // 2)


def _independent(
    labels: npt.NDArray[np.integer], groups: npt.NDArray[np.str_], called: npt.NDArray[np.bool_]
) -> dict[str, int]:
    """How many independent people or pairs of people each figure was seen on."""

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
