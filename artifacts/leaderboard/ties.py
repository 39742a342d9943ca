"""Ties with the best model on the validation clips.

A model ties with the best if it is not significantly worse: the 95% CI of the difference in AUC
includes zero. The interval is from a paired bootstrap, which measures both models on the same draws
of whole identity groups.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from artifacts.metrics.bounds import apply_bounds
from data_prep.bootstrap import Interval, group_intervals

FEWEST_PEOPLE = 5
"""Smallest number of people with a label; with fewer the bootstrap interval is too narrow."""

Labels: TypeAlias = "npt.NDArray[np.integer]"
Scores: TypeAlias = "npt.NDArray[np.float64]"


@dataclasses.dataclass(frozen=True)
class Standing:
    """One model among others on the same clips.

    Attributes:
        auc: Area under the ROC curve.
        interval: 95% CI over identity groups; the exact bound of :mod:`artifacts.metrics.bounds`
            if all draws agree. None with fewer than :data:`FEWEST_PEOPLE` of a label.
        eer: Equal error rate.
        tied: Whether it is not significantly worse than the best; None without an interval or a
            best.
    """

    auc: float
    interval: Interval
    eer: float
    tied: bool | None


def standings(
    scores: Mapping[str, Scores],
    labels: Labels,
    groups: npt.NDArray[np.str_],
    best: str | None,
    seed: int = 0,
) -> dict[str, Standing]:
    """Measure models on the same clips, and compare each with the best.

    Args:
        scores: float64 (N,) scores of each model by its name, higher for fakes, finite.
        labels: (N,), 1 is fake; both labels occur.
        groups: (N,), identity group of each clip; draws take whole groups.
        best: Name of the model that the others are compared with, if it has scores.
        seed: Seed of the draws; the same seed gives the same result.
    """
    if not scores:
        return {}
    names = list(scores)
    rows = np.stack([scores[name] for name in names])
    measure = _Aucs(rows, labels)
    top = names.index(best) if best is not None and best in scores else None
    intervals: dict[str, Interval] = {}
    if people(labels, groups) >= FEWEST_PEOPLE:

        def drawn(weights: npt.NDArray[np.integer]) -> dict[str, float]:
            found = measure(weights)
            values = dict(zip(names, found.tolist(), strict=True))
            if top is None:
                return values
            gap = (found[top] - found).tolist()
            return values | {_gap(name): by for name, by in zip(names, gap, strict=True)}

        intervals = group_intervals(drawn, labels, groups, seed)
    point = measure(np.ones(len(labels), np.int64)).tolist()
    return {
        name: Standing(
            auc=auc,
            interval=_settled(auc, intervals.get(name), labels, groups),
            eer=equal_error_rate(row, labels),
            tied=_reaches_zero(intervals.get(_gap(name))),
        )
        for name, auc, row in zip(names, point, rows, strict=True)
    }


def aucs(scores: Scores, labels: Labels) -> Scores:
    """Return the AUC of each row of scores (M, N), float64 (M,); ties count half."""
    return _Aucs(scores, labels)(np.ones(len(labels), np.int64))


def equal_error_rate(scores: Scores, labels: Labels) -> float:
    """Return the rate where false alarms equal misses, interpolated on the ROC curve."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    fake = labels[order] == 1
    hit = np.append(0, np.cumsum(fake)[last_of_ties]) / fake.sum()
    false_alarm = np.append(0, np.cumsum(~fake)[last_of_ties]) / (~fake).sum()
    return float(np.interp(0, hit + false_alarm - 1, false_alarm))


def people(labels: Labels, groups: npt.NDArray[np.str_]) -> int:
    """Return the number of identity groups with the rarer label."""
    return min(len(np.unique(groups[labels == label])) for label in (0, 1))


def _settled(
    auc: float, interval: Interval, labels: Labels, groups: npt.NDArray[np.str_]
) -> Interval:
    called = np.zeros(len(labels), bool)
    return apply_bounds({"auc": auc}, {"auc": interval}, labels, groups, called)[0]["auc"]


def _gap(name: str) -> str:
    return f"{name} gap"


def _reaches_zero(gap: Interval) -> bool | None:
    return None if gap is None else gap[0] <= 0


class _Aucs:
    """AUC of several models under changing whole-number weights of the clips.

    Each model's reals are sorted once for the thousand draws of a bootstrap.
    """

    def __init__(self, scores: Scores, labels: Labels) -> None:
        self._fakes, self._reals = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
        self._order = np.argsort(scores[:, self._reals], axis=1)
        self._below = np.empty((len(scores), len(self._fakes)), np.int64)
        self._upto = np.empty_like(self._below)
        for model, row in enumerate(scores):
            reals = row[self._reals][self._order[model]]
            self._below[model] = np.searchsorted(reals, row[self._fakes], "left")
            self._upto[model] = np.searchsorted(reals, row[self._fakes], "right")

    def __call__(self, weights: npt.NDArray[np.integer]) -> Scores:
        """Return the AUC of every model, where clip i counts ``weights[i]`` times."""
        reals, fakes = weights[self._reals], weights[self._fakes]
        counted = np.zeros((len(self._order), len(reals) + 1), np.int64)
        np.cumsum(reals[self._order], axis=1, out=counted[:, 1:])
        won = np.take_along_axis(counted, self._below, axis=1)
        won += np.take_along_axis(counted, self._upto, axis=1)
        found: Scores = won @ fakes / (2 * reals.sum() * fakes.sum())
        return found
