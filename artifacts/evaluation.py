"""Metrics of a detector on labelled clips, with intervals over people."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

Labels: TypeAlias = "npt.NDArray[np.integer]"
Scores: TypeAlias = "npt.NDArray[np.float64]"

BOOTSTRAPS = 1000
CONFIDENCE = 0.95


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
    auc_ci: tuple[float, float] | None
    eer: float
    average_precision: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    log_loss: float
    brier: float
    threshold: float
    intervals: dict[str, tuple[float, float] | None]
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
    point = _metrics(labels, probabilities, threshold)
    intervals = _bootstrap(
        labels, probabilities, groups, lambda y, p: _metrics(y, p, threshold), seed
    )
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


def _metrics(labels: Labels, probabilities: Scores, threshold: float) -> dict[str, float]:
    called = probabilities >= threshold
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, called, average="binary", zero_division=0.0
    )
    return {
        "auc": float(metrics.roc_auc_score(labels, probabilities)),
        "eer": equal_error_rate(labels, probabilities),
        "average_precision": float(metrics.average_precision_score(labels, probabilities)),
        "accuracy": float(metrics.accuracy_score(labels, called)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "log_loss": float(metrics.log_loss(labels, probabilities, labels=[0, 1])),
        "brier": float(metrics.brier_score_loss(labels, probabilities)),
    }


def equal_error_rate(labels: Labels, probabilities: Scores) -> float:
    """Where the miss rate equals the false alarm rate, on the interpolated ROC curve."""
    false_alarm, hit, _ = metrics.roc_curve(labels, probabilities)
    return float(brentq(lambda x: 1.0 - x - np.interp(x, false_alarm, hit), 0.0, 1.0))


def _bootstrap(
    labels: Labels,
    probabilities: Scores,
    groups: npt.NDArray[np.str_],
    measure: Callable[[Labels, Scores], dict[str, float]],
    seed: int,
) -> dict[str, tuple[float, float] | None]:
    """Percentile intervals from draws of whole identity groups.

    Clips of one person are not independent, so people are drawn, not clips. A draw without both
    labels has no AUC and is drawn again; with fewer than two groups there is no interval.
    """
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    names = list(measure(labels, probabilities))
    if len(members) < 2:
        return dict.fromkeys(names)
    rng = np.random.default_rng(seed)
    draws: list[dict[str, float]] = []
    for _ in range(10 * BOOTSTRAPS):
        picked = rng.integers(0, len(members), len(members))
        rows = np.concatenate([members[place] for place in picked])
        if 0 < labels[rows].sum() < len(rows):
            draws.append(measure(labels[rows], probabilities[rows]))
        if len(draws) == BOOTSTRAPS:
            break
    tail = 100 * (1 - CONFIDENCE) / 2
    return {
        name: tuple(
            float(edge)
            for edge in np.percentile([draw[name] for draw in draws], [tail, 100 - tail])
        )
        for name in names
    }


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Platt scaling: the calibrated logit is ``slope * logit + intercept``."""

    slope: float
    intercept: float


def calibrate(labels: Labels, probabilities: Scores) -> Calibration:
    """Fit Platt scaling (Platt, 1999) on validation clips, with his smoothed targets.

    Smoothing keeps the slope finite where validation is separated perfectly. A slope that is not
    positive would turn the ranking round; the probabilities are then left as they are.
    """
    logits = np.log(probabilities / (1 - probabilities)).reshape(-1, 1)
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
