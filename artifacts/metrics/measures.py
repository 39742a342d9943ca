"""All figures of scored clips under whole-number weights, with intervals over people."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from artifacts.metrics.bounds import apply_bounds
from data_prep.bootstrap import Interval, batch_intervals

Labels: TypeAlias = "npt.NDArray[np.integer]"
Scores: TypeAlias = "npt.NDArray[np.float64]"

MOST_BINS, FEWEST_IN_A_BIN = 15, 10
_LOW_RATES = {"tpr_at_1_percent_fpr": 0.01, "tpr_at_0_1_percent_fpr": 0.001}


@dataclasses.dataclass(frozen=True)
class Measured:
    """Figures by name.

    Attributes:
        values: Figures of all clips.
        intervals: 95% CI over identity groups; None if there is none.
        bounds: Number of independent people of each interval that is an exact bound.
    """

    values: dict[str, float]
    intervals: dict[str, Interval]
    bounds: dict[str, int]


def compute_measures(
    labels: Labels,
    probabilities: Scores,
    groups: npt.NDArray[np.str_],
    threshold: float,
    seed: int = 0,
) -> Measured:
    """Return every figure of :class:`Measure` with its interval.

    Args:
        labels: (N,), 1 is fake; a single label gives only the figures that need no other.
        probabilities: (N,) fake probabilities.
        groups: (N,), identity group of each clip; the bootstrap draws whole groups.
        threshold: At and above it a clip is called fake.
        seed: Seed of the bootstrap.
    """
    measure = Measure(labels, probabilities, threshold)
    values = measure.point()
    drawn = batch_intervals(measure, labels, groups, seed)
    if drawn.get("ece") is not None:
        # Repeated clips add noise to this error, so draws may all lie above the value.
        low, high = drawn["ece"] or (0.0, 0.0)
        drawn["ece"] = min(low, values["ece"]), max(high, values["ece"])
    intervals, bounds = apply_bounds(values, drawn, labels, groups, probabilities >= threshold)
    return Measured(values, intervals, bounds)


def bin_count(count: int) -> int:
    """Return the number of calibration bins: at most 15, with at least ten clips each."""
    return min(MOST_BINS, max(1, count // FEWEST_IN_A_BIN))


class Measure:
    """Every metric of fixed scores under changing whole-number weights of the clips.

    The values equal those of scikit-learn on repeated clips. Clips are sorted once, and the
    thousand draws of a bootstrap are measured in batches, which is much faster.

    ==========================  ================================================================
    auc                         area under the ROC curve
    eer                         error rate where false alarms equal misses
    average_precision           area under the precision-recall curve, in steps
    tpr_at_1_percent_fpr        most fakes found by a threshold with at most 1% of false alarms
    tpr_at_0_1_percent_fpr      the same with at most 0.1%
    accuracy, precision,        at the threshold
    recall, false_alarm_rate,
    f1
    log_loss, brier             of the probabilities
    ece                         mean distance between probability and share of fakes, in bins of
                                equal size (Nixon et al., "Measuring Calibration in Deep
                                Learning", 2019)
    ==========================  ================================================================

    Args:
        labels: (N,), 1 is fake. A single label gives recall or false alarm rate, accuracy, log
            loss and Brier score only.
        probabilities: (N,) fake probabilities.
        threshold: At and above it a clip is called fake.
    """

    def __init__(self, labels: Labels, probabilities: Scores, threshold: float) -> None:
        order = np.argsort(-probabilities, kind="stable")
        ranked, fake = probabilities[order], labels[order] == 1
        self._order = order
        self._last_of_ties = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        self._both = 0 < fake.sum() < len(fake)
        self._fake = fake
        called = ranked >= threshold
        inside = np.clip(ranked, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
        self._excess = ranked - fake
        # Columns that are summed over the clips.
        self._summed = np.stack(
            [
                called & fake,
                called & ~fake,
                fake,
                ~fake,
                -np.log(np.where(fake, inside, 1 - inside)),
                self._excess**2,
            ],
            axis=1,
        )
        # Equal scores share the bin of the first of them.
        bins = np.searchsorted(-ranked, -ranked) * bin_count(len(labels)) // len(labels)
        self._bin_starts = np.flatnonzero(np.diff(bins, prepend=-1))

    def __call__(self, weights: npt.NDArray[np.integer]) -> dict[str, Scores]:
        """Return the metrics of every draw, (B,) each.

        Args:
            weights: (B, N) counts of the clips; every label that occurs must count.
        """
        ranked = np.take(weights, self._order, axis=1).astype(np.float64)
        right, wrong, fakes, reals, log_loss, brier = (ranked @ self._summed).T
        total = fakes + reals
        values = self._of_ranks(ranked) if self._both else {}
        values["accuracy"] = (right + reals - wrong) / total
        if self._both:
            values["precision"] = right / np.maximum(right + wrong, 1)
        if self._fake.any():
            values["recall"] = right / fakes
        if not self._fake.all():
            values["false_alarm_rate"] = wrong / reals
        if self._both:
            values["f1"] = 2 * right / (right + wrong + fakes)
        values |= {"log_loss": log_loss / total, "brier": brier / total}
        if self._both:
            apart = np.add.reduceat(ranked * self._excess, self._bin_starts, axis=1)
            values["ece"] = np.abs(apart).sum(axis=1) / total
        return values

    def point(self) -> dict[str, float]:
        """Return the metrics with every clip counted once."""
        found = self(np.ones((1, len(self._order)), np.int64))
        return {name: float(values[0]) for name, values in found.items()}

    def _of_ranks(self, ranked: Scores) -> dict[str, Scores]:
        hits = _from_zero(np.cumsum(ranked * self._fake, axis=1)[:, self._last_of_ties])
        called = _from_zero(np.cumsum(ranked, axis=1)[:, self._last_of_ties])
        false_alarms = called - hits
        hit_rate = hits / hits[:, -1:]
        false_alarm_rate = false_alarms / false_alarms[:, -1:]
        precisions = hits / np.maximum(called, 1)
        values = {
            "auc": np.trapezoid(hit_rate, false_alarm_rate, axis=1),
            "eer": _crossing(hit_rate, false_alarm_rate),
            "average_precision": (np.diff(hit_rate, axis=1) * precisions[:, 1:]).sum(axis=1),
        }
        for name, rate in _LOW_RATES.items():
            last = (false_alarm_rate <= rate + 1e-12).sum(axis=1) - 1
            values[name] = hit_rate[np.arange(len(hit_rate)), last]
        return values


def _from_zero(counts: Scores) -> Scores:
    return np.concatenate([np.zeros((len(counts), 1)), counts], axis=1)


def _crossing(hit: Scores, false_alarm: Scores) -> Scores:
    """Return the false alarm rate where ROC curves, (B, points), meet the line of equal errors."""
    excess = hit + false_alarm - 1
    after = np.argmax(excess >= 0, axis=1)
    rows = np.arange(len(hit))
    step = -excess[rows, after - 1] / (excess[rows, after] - excess[rows, after - 1])
    before = false_alarm[rows, after - 1]
    found: Scores = before + step * (false_alarm[rows, after] - before)
    return found
