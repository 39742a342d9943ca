"""Metrics of a detector on labelled clips, calibration and threshold."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from artifacts.metrics.measures import Labels, Measured, Scores, bin_count, compute_measures
from artifacts.metrics.parts import measure_kinds, measure_methods
from artifacts.metrics.per_video import ScoredClips, average_by_video
from data_prep.audit.separation import FEWEST_PEOPLE
from data_prep.bootstrap import Interval

# Word for a margin in the files of earlier versions.
_EARLIER = "".join(("a", "head"))
_ENOUGH_REALS = {"1%": 100, "0.1%": 1000}


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Figures of one split, counted by video; fake is the positive class.

    Evaluations of earlier versions lack the attributes with a default.

    Attributes:
        split: Name of the split.
        videos, reals, fakes: Numbers scored; earlier versions counted clips.
        coverage: Mean fraction of sampled frames in which the face was found; also by label.
        quarantined: Videos of the whole store that could not be prepared and scored.
        auc, eer, average_precision, log_loss, brier: Figures of the probabilities.
        accuracy, precision, recall, f1, false_alarm_rate: Figures at the threshold.
        auc_ci: 95% CI of the AUC.
        intervals: 95% CI of every metric: percentile bootstrap over identity groups, or an exact
            bound (:mod:`artifacts.metrics.bounds`).
        threshold: At and above it a video is called fake; from validation.
        by_method: For each manipulation method: videos, auc against all reals, recall, their
            intervals auc_ci and recall_ci, and bounds.
        tpr_at_1_percent_fpr, tpr_at_0_1_percent_fpr: Largest share of fakes found with at most this
            false alarm rate.
        ece: Expected calibration error in ece_bins bins of equally many videos.
        by_quality, by_codec: With several kinds: videos, reals, fakes, bounds, and with intervals
            auc, recall and false_alarm_rate, None where undefined.
        clips: Number of clips scored.
        per_clip: ``values``, ``intervals`` and ``bounds`` by clip, if a video has several clips;
            the video's score averages their logits.
        bounds: Metrics whose interval is an exact bound, with the number of independent people.
        untrained: Comparison with the best baseline on the same clips, see
            :mod:`artifacts.metrics.baselines`.
        notes: Warnings about the figures.
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
    by_method: dict[str, dict[str, Any]]
    tpr_at_1_percent_fpr: float | None = None
    tpr_at_0_1_percent_fpr: float | None = None
    false_alarm_rate: float | None = None
    ece: float | None = None
    ece_bins: int = 0
    clips: int = 0
    by_quality: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    by_codec: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    per_clip: dict[str, Any] | None = None
    bounds: dict[str, int] = dataclasses.field(default_factory=dict)
    untrained: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "untrained", rename_margins(self.untrained))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


def rename_margins(untrained: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a comparison with a baseline by its present names."""
    if untrained is None:
        return None
    earlier = {
        f"{of}{_EARLIER}{ci}": f"{of}margin{ci}" for of in ("", "pair_") for ci in ("", "_ci")
    }
    return {earlier.get(name, name): value for name, value in untrained.items()}


def evaluate(
    clips: ScoredClips,
    *,
    split: str,
    threshold: float,
    quarantined: int,
    videos: npt.NDArray[np.str_] | None = None,
    untrained: dict[str, Any] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Return the metrics of scored clips of both labels.

    Args:
        clips: N clips; the bootstrap draws whole identity groups.
        split: Name for the record.
        threshold: Threshold frozen on validation.
        quarantined: Number of videos that could not be scored.
        videos: (N,) name of each clip's video; None if every clip has its own.
        untrained: Comparison with the best baseline, for the record.
        seed: Seed of the bootstrap.
    """
    scored = clips if videos is None else average_by_video(clips, videos)
    found = compute_measures(scored.labels, scored.probabilities, scored.groups, threshold, seed)
    per_clip = None
    if len(scored.labels) < len(clips.labels):
        alone = compute_measures(clips.labels, clips.probabilities, clips.groups, threshold, seed)
        per_clip = dataclasses.asdict(alone)
    real = scored.labels == 0
    return Evaluation(
        split=split,
        videos=len(real),
        reals=int(real.sum()),
        fakes=int((~real).sum()),
        coverage=float(scored.coverage.mean()),
        coverage_real=float(scored.coverage[real].mean()),
        coverage_fake=float(scored.coverage[~real].mean()),
        quarantined=quarantined,
        threshold=threshold,
        auc_ci=found.intervals["auc"],
        intervals=found.intervals,
        by_method=measure_methods(scored, threshold, found, seed),
        ece_bins=bin_count(len(real)),
        clips=len(clips.labels),
        by_quality=measure_kinds(scored, "quality", threshold, seed),
        by_codec=measure_kinds(scored, "codec", threshold, seed),
        per_clip=per_clip,
        bounds=found.bounds,
        untrained=untrained,
        notes=_notes(scored, found),
        **found.values,
    )


def _notes(scored: ScoredClips, found: Measured) -> tuple[str, ...]:
    real = scored.labels == 0
    reals, notes = int(real.sum()), []
    rare = [rate for rate, enough in _ENOUGH_REALS.items() if reals < enough]
    if rare:
        enough = " and ".join(f"{_ENOUGH_REALS[rate]:,} for {rate}" for rate in rare)
        notes.append(
            f"{reals} reals are too few for the TPR at {' and '.join(rare)} FPR, which needs "
            f"{enough}: the figure is the share of fakes above every real"
        )
    people = [len(np.unique(scored.groups[side])) for side in (real, ~real)]
    if min(people) < FEWEST_PEOPLE:
        notes.append(
            f"intervals are too narrow: reals are of {people[0]} and fakes of {people[1]} identity "
            f"groups, and a bootstrap needs {FEWEST_PEOPLE}"
        )
    without = [name for name, interval in found.intervals.items() if interval is None]
    if len(without) == len(found.intervals):
        notes.append("no intervals: the videos are of too few identity groups for a bootstrap")
    elif without:
        names = ", ".join(name.replace("_", " ") for name in without)
        notes.append(f"no interval of {names}: all draws of people give the same value")
    return tuple(notes)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Platt scaling: the calibrated logit is ``slope * logit + intercept``."""

    slope: float
    intercept: float


def calibrate(labels: Labels, probabilities: Scores) -> Calibration:
    """Fit Platt scaling (Platt, 1999) on validation clips, with smoothed targets.

    Smoothing keeps the slope finite if validation is separated perfectly. A slope of 0 or less
    would reverse the ranking, so the probabilities are then not changed. Probabilities of exactly
    0 and 1 are moved slightly inside.
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
    """Return the threshold of best balanced accuracy (Youden, 1950).

    It lies midway between a score and the next lower one. Among equally good thresholds it is the
    middle of the widest gap between two scores.
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
