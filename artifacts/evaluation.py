"""Metrics of a detector on labelled clips, with intervals over people."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from data_prep.bootstrap import Interval, group_intervals

Labels: TypeAlias = "npt.NDArray[np.integer]"
Scores: TypeAlias = "npt.NDArray[np.float64]"


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Scores of one split. A video is one clip; fake is the positive class.

    Attributes:
        split: which.
        videos, reals, fakes: how many were scored.
        coverage: mean fraction of sampled frames with a face found; also of each label.
        quarantined: videos of the whole store that could not be prepared, and so not scored.
        auc, eer, average_precision, log_loss, brier: of the probabilities.
        accuracy, precision, recall, f1: at the threshold.
        auc_ci: 95% interval of the AUC.
        intervals: 95% interval of every metric: percentile bootstrap over identity groups.
        threshold: at and above it a video is called fake; from validation.
        by_method: of each manipulation method: videos, auc against all reals, recall.
    """

    split: str
    videos: int
    reals: int
    fakes: int
    coverage: float
    coverage_real: float
    coverage_fake: float
    quarantined: int
    auc: float
    auc_ci: Interval
    eer: float
    average_precision: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    log_loss: float
    brier: float
    threshold: float
    intervals: dict[str, Interval]
    by_method: dict[str, dict[str, float | int]]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def evaluate(
    labels: Labels,
    probabilities: Scores,
    groups: npt.NDArray[np.str_],
    methods: npt.NDArray[np.str_],
    coverage: Scores,
    *,
    split: str,
    threshold: float,
    quarantined: int,
    seed: int = 0,
) -> Evaluation:
    """Score probabilities (N,) against labels (N,) that hold both classes.

    Args:
        labels: 1 is fake.
        probabilities: of fake.
        groups: identity group of each clip; the bootstrap draws whole groups.
        methods: manipulation method of each clip.
        coverage: of each clip.
        split: name for the record.
        threshold: frozen from validation.
        quarantined: videos that could not be scored.
        seed: of the bootstrap.
    """
    measure = _Measure(labels, probabilities, threshold)
    point = measure(np.ones(len(labels), np.int64))
    intervals = group_intervals(measure, labels, groups, seed)
    real = labels == 0
    by_method: dict[str, dict[str, float | int]] = {}
    for method in sorted(set(methods[~real])):
        ours = (methods == method) & ~real
        chosen = ours | real
        by_method[str(method)] = {
            "videos": int(ours.sum()),
            "auc": float(metrics.roc_auc_score(labels[chosen], probabilities[chosen])),
            "recall": float((probabilities[ours] >= threshold).mean()),
        }
    return Evaluation(
        split=split,
        videos=len(labels),
        reals=int(real.sum()),
        fakes=int((~real).sum()),
        coverage=float(coverage.mean()),
        coverage_real=float(coverage[real].mean()),
        coverage_fake=float(coverage[~real].mean()),
        quarantined=quarantined,
        threshold=threshold,
        auc_ci=intervals["auc"],
        intervals=intervals,
        by_method=by_method,
        **point,
    )


class _Measure:
    """Every metric of fixed scores under changing whole-number weights of the clips.

    Equal to scikit-learn's on repeated clips, at a fiftieth of the cost: the clips are sorted
    once, and a bootstrap asks a thousand times.
    """

    def __init__(self, labels: Labels, probabilities: Scores, threshold: float) -> None:
        order = np.argsort(-probabilities, kind="stable")
        ranked = probabilities[order]
        self._order = order
        self._last_of_ties = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        self._fake = labels == 1
        self._called = probabilities >= threshold
        inside = np.clip(probabilities, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
        self._log_loss = -np.log(np.where(self._fake, inside, 1 - inside))
        self._squared_error = (probabilities - self._fake) ** 2

    def __call__(self, weights: npt.NDArray[np.integer]) -> dict[str, float]:
        """Metrics where clip i counts ``weights[i]`` times; both labels must count."""
        fakes, reals = weights * self._fake, weights * ~self._fake
        hits = np.append(0, np.cumsum(fakes[self._order])[self._last_of_ties])
        false_alarms = np.append(0, np.cumsum(reals[self._order])[self._last_of_ties])
        hit_rate, false_alarm_rate = hits / hits[-1], false_alarms / false_alarms[-1]
        precisions = hits / np.maximum(hits + false_alarms, 1)

        called = fakes[self._called].sum()
        recall = called / hits[-1]
        precision = called / max(weights[self._called].sum(), 1)
        correct = called + reals[~self._called].sum()
        total = weights.sum()
        values = {
            "auc": np.trapezoid(hit_rate, false_alarm_rate),
            "eer": _crossing(hit_rate, false_alarm_rate),
            "average_precision": (np.diff(hit_rate) * precisions[1:]).sum(),
            "accuracy": correct / total,
            "precision": precision,
            "recall": recall,
            "f1": 2 * called / (weights[self._called].sum() + hits[-1]),
            "log_loss": (weights * self._log_loss).sum() / total,
            "brier": (weights * self._squared_error).sum() / total,
        }
        return {name: float(value) for name, value in values.items()}


def _crossing(hit: Scores, false_alarm: Scores) -> np.float64:
    """False alarm rate where a ROC curve meets the line of equal errors."""
    excess = hit + false_alarm - 1
    after = int(np.argmax(excess >= 0))
    step = -excess[after - 1] / (excess[after] - excess[after - 1])
    before: np.float64 = false_alarm[after - 1]
    return before + step * (false_alarm[after] - before)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Platt scaling: the calibrated logit is ``slope * logit + intercept``."""

    slope: float
    intercept: float


def calibrate(labels: Labels, probabilities: Scores) -> Calibration:
    """Fit Platt scaling (Platt, 1999) on validation clips, with his smoothed targets.

    Smoothing keeps the slope finite where validation is separated perfectly. A slope that is not
    positive would turn the ranking round; the probabilities are then left as they are.
    Probabilities of 0 and 1, which a saturated sigmoid gives, count as almost that.
    """
    inside = np.clip(probabilities, 1e-7, 1 - 1e-7)
    logits = np.log(inside / (1 - inside)).reshape(-1, 1)
    fakes, reals = int(labels.sum()), int((labels == 0).sum())
    target = np.where(labels == 1, (fakes + 1) / (fakes + 2), 1 / (reals + 2))
    fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(
        np.concatenate([logits, logits]),
        np.repeat([1, 0], len(labels)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return Calibration(slope, intercept) if slope > 0 else Calibration(1.0, 0.0)


def best_threshold(labels: Labels, probabilities: Scores) -> float:
    """The threshold of best balanced accuracy (Youden, 1950), midway to the next lower score.

    Where a range of thresholds is equally good, the middle of the widest gap between two scores.
    """
    false_alarm, hit, cuts = metrics.roc_curve(labels, probabilities, drop_intermediate=False)
    best = np.isclose(hit - false_alarm, (hit - false_alarm).max())
    scores = np.unique(probabilities)
    options = []
    for cut in cuts[best]:
        below = scores[scores < cut]
        low = below[-1] if len(below) else 0.0
        high = min(float(cut), 1.0)
        options.append((high - low, (high + low) / 2))
    return float(max(options)[1])
