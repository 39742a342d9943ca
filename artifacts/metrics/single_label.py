"""Figures of clips that are all real or all fake."""

from __future__ import annotations

import dataclasses
from typing import Any

from artifacts.metrics.measures import compute_measures
from artifacts.metrics.parts import measure_kinds, measure_methods
from artifacts.metrics.per_video import ScoredClips
from data_prep.bootstrap import Interval


@dataclasses.dataclass(frozen=True)
class SingleLabel:
    """Scores of one split with one label alone: no metric here compares reals with fakes.

    Attributes:
        split: Name of the split.
        videos, reals, fakes, clips: Numbers scored.
        coverage: Mean fraction of sampled frames in which the face was found.
        quarantined: Videos of the whole store that could not be prepared and scored.
        threshold: At and above it a video is called fake; from validation.
        recall: Share of the fakes that are called fake; None for reals.
        false_alarm_rate: Share of the reals that are called fake; None for fakes.
        log_loss, brier: Scores of the probabilities.
        intervals, bounds: As in :class:`artifacts.metrics.metrics.Evaluation`.
        by_method, by_quality, by_codec: As there.
        auc: Always None, since AUC needs both labels.
        notes: Warnings about the figures.
    """

    split: str
    videos: int
    reals: int
    fakes: int
    clips: int
    coverage: float
    quarantined: int
    threshold: float
    recall: float | None
    false_alarm_rate: float | None
    log_loss: float
    brier: float
    intervals: dict[str, Interval]
    bounds: dict[str, int]
    by_method: dict[str, dict[str, Any]]
    by_quality: dict[str, dict[str, Any]]
    by_codec: dict[str, dict[str, Any]]
    auc: None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


def evaluate_single_label(
    scored: ScoredClips,
    *,
    clips: int,
    split: str,
    threshold: float,
    quarantined: int,
    seed: int = 0,
) -> SingleLabel:
    """Return the figures of at least one video of one label.

    Args:
        scored: Scored videos.
        clips: Number of their clips.
        split: Name for the record.
        threshold: Threshold frozen on validation.
        quarantined: Number of videos that could not be scored.
        seed: Seed of the bootstrap.
    """
    found = compute_measures(scored.labels, scored.probabilities, scored.groups, threshold, seed)
    fakes = int((scored.labels == 1).sum())
    label, lacking = ("fake", "real") if fakes else ("real", "fake")
    # With one label, accuracy repeats the recall or the false alarm rate.
    names = ("recall", "false_alarm_rate", "log_loss", "brier")
    return SingleLabel(
        split=split,
        videos=len(scored.labels),
        reals=len(scored.labels) - fakes,
        fakes=fakes,
        clips=clips,
        coverage=float(scored.coverage.mean()),
        quarantined=quarantined,
        threshold=threshold,
        recall=found.values.get("recall"),
        false_alarm_rate=found.values.get("false_alarm_rate"),
        log_loss=found.values["log_loss"],
        brier=found.values["brier"],
        intervals={name: found.intervals[name] for name in names if name in found.intervals},
        bounds={name: found.bounds[name] for name in names if name in found.bounds},
        by_method=measure_methods(scored, threshold, found, seed),
        by_quality=measure_kinds(scored, "quality", threshold, seed),
        by_codec=measure_kinds(scored, "codec", threshold, seed),
        notes=(f"all videos are {label}: AUC and other comparisons of the labels need {lacking}s",),
    )
