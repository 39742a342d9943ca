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


def settled(
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
        values: figures by the names of :class:`artifacts.measures.Measure`.
        intervals: by bootstrap, of the same names.
        labels: (N,), 1 is fake.
        groups: (N,), identity group of each clip.
        called: (N,), which are called fake.

    Returns:
        Intervals by name, and of the bounds among them how many people or pairs they speak of.
    """
    found = dict(intervals)
    bounds: dict[str, int] = {}
    people = _independent(labels == 1, groups, called)
    for name, interval in intervals.items():
        if interval is None or interval[1] - interval[0] > _NEAR:
            continue
        found[name] = bound = _exact(name, values[name], people.get(name, 0))
        if bound is not None:
            bounds[name] = people[name]
    return found, bounds


def _exact(name: str, value: float, people: int) -> Interval:
    if not people or min(value, 1 - value) > _NEAR:
        return None
    least = _TAIL ** (1 / people)
    low, high = (least, 1.0) if value > 0.5 else (0.0, 1 - least)
    if name == "f1":
        # Of the share of right calls among all that are fake or called so, F1 is this function.
        low, high = 2 * low / (1 + low), 2 * high / (1 + high)
    return low, high


def _independent(
    fake: npt.NDArray[np.bool_], groups: npt.NDArray[np.str_], called: npt.NDArray[np.bool_]
) -> dict[str, int]:
    """How many independent people or pairs of people each figure was seen on."""

    def count(rows: npt.NDArray[np.bool_]) -> int:
        return len(np.unique(groups[rows]))

    everyone, fakes, reals = count(fake | ~fake), count(fake), count(~fake)
    return {
        # A fake of one person above a real of another, nobody in two pairs.
        "auc": min(fakes, reals, everyone // 2),
        "eer": min(fakes, reals),
        "tpr_at_1_percent_fpr": fakes,
        "tpr_at_0_1_percent_fpr": fakes,
        "accuracy": everyone,
        "precision": count(called),
        "recall": fakes,
        "false_alarm_rate": reals,
        "f1": count(fake | called),
    }
