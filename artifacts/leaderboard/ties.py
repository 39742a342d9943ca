"""Which models are as good as the best, as far as the validation clips can tell.

A model is tied with the best where the 95% interval of what the best is ahead reaches zero: a
paired bootstrap, in which both are measured on the same draws of whole identity groups.
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
"""Of a label: fewer are drawn again and again, and an interval would be narrow for no reason."""

Labels: TypeAlias = "npt.NDArray[np.integer]"
Scores: TypeAlias = "npt.NDArray[np.float64]"


@dataclasses.dataclass(frozen=True)
class Standing:
    """One model among others on the same clips.

    Attributes:
        auc: area under the ROC curve.
        interval: 95%, over identity groups; where every draw gives the same, the exact bound
            of :mod:`artifacts.metrics.bounds`. None with fewer than
            :data:`FEWEST_PEOPLE` of a label.
        eer: equal error rate.
        tied: whether it is not shown to be below the best; None where there is no interval or no
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
    """Measure models on the same clips, and each against the best.

    Args:
        scores: float64 (N,) of each model by its name, higher for fakes, finite.
        labels: (N,), 1 is fake; both are there.
        groups: (N,), identity group of each clip; draws take whole groups.
        best: name of the model the others are held against, if it is among them.
        seed: of the draws: the same answers for the same scores.
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
            told = dict(zip(names, found.tolist(), strict=True))
            if top is None:
                return told
            behind = (found[top] - found).tolist()
            return told | {_behind(name): by for name, by in zip(names, behind, strict=True)}

        intervals = group_intervals(drawn, labels, groups, seed)
    point = measure(np.ones(len(labels), np.int64)).tolist()
    return {
        name: Standing(
            auc=auc,
            interval=_settled(auc, intervals.get(name), labels, groups),
            eer=equal_error_rate(row, labels),
            tied=_reaches_zero(intervals.get(_behind(name))),
        )
        for name, auc, row in zip(names, point, rows, strict=True)
    }


def aucs(scores: Scores, labels: Labels) -> Scores:
    """Area under the ROC curve of each row of scores (M, N), float64 (M,); ties count half."""
    return _Aucs(scores, labels)(np.ones(len(labels), np.int64))


def equal_error_rate(scores: Scores, labels: Labels) -> float:
    """The rate of false alarms where it is that of misses, between points of the ROC curve."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    fake = labels[order] == 1
    hit = np.append(0, np.cumsum(fake)[last_of_ties]) / fake.sum()
    false_alarm = np.append(0, np.cumsum(~fake)[last_of_ties]) / (~fake).sum()
    return float(np.interp(0, hit + false_alarm - 1, false_alarm))


def people(labels: Labels, groups: npt.NDArray[np.str_]) -> int:
    """Identity groups of the label that has fewer."""
    return min(len(np.unique(groups[labels == label])) for label in (0, 1))


def _settled(
    auc: float, interval: Interval, labels: Labels, groups: npt.NDArray[np.str_]
) -> Interval:
    called = np.zeros(len(labels), bool)
    return apply_bounds({"auc": auc}, {"auc": interval}, labels, groups, called)[0]["auc"]


def _behind(name: str) -> str:
    return f"{name} behind"


def _reaches_zero(behind: Interval) -> bool | None:
    return None if behind is None else behind[0] <= 0


class _Aucs:
    """AUC of several models under changing whole-number weights of the clips.

    Each model's reals are sorted once, and a bootstrap asks a thousand times.
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
        """Of every model, where clip i counts ``weights[i]`` times; both labels must count."""
        reals, fakes = weights[self._reals], weights[self._fakes]
        counted = np.zeros((len(self._order), len(reals) + 1), np.int64)
        np.cumsum(reals[self._order], axis=1, out=counted[:, 1:])
        won = np.take_along_axis(counted, self._below, axis=1)
        won += np.take_along_axis(counted, self._upto, axis=1)
        found: Scores = won @ fakes / (2 * reals.sum() * fakes.sum())
        return found
