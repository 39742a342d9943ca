"""What can be said of clips that are all real, or all fake."""

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
        split: which.
        videos, reals, fakes, clips: how many were scored.
        coverage: mean fraction of sampled frames with a face found.
        quarantined: videos of the whole store that could not be prepared, and so not scored.
        threshold: at and above it a video is called fake; from validation.
        recall: share of the fakes that are called fake; None of reals.
        false_alarm_rate: share of the reals that are called fake; None of fakes.
        log_loss, brier: of the probabilities.
        intervals, bounds: as in :class:`artifacts.metrics.metrics.Evaluation`.
        by_method, by_quality, by_codec: as there.
        auc: None: there is nothing to compare with.
        notes: what a reader of the figures must know.
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
        """Plain values."""
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
    """Score videos of one label, at least one.

    Args:
        scored: the videos.
        clips: they have together.
        split: name for the record.
        threshold: frozen from validation.
        quarantined: videos that could not be scored.
        seed: of the bootstrap.
    """
    found = compute_measures(scored.labels, scored.probabilities, scored.groups, threshold, seed)
    fakes = int((scored.labels == 1).sum())
    label, lacking = ("fake", "real") if fakes else ("real", "fake")
    # Of one label, accuracy is the recall or what the false alarms leave.
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
        notes=(
            f"all videos are {label}: without {lacking}s there is no AUC, and nothing else "
            "that compares the two",
        ),
    )
