"""Rows of a leaderboard: records with their rank and the comparison with the best."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from artifacts.leaderboard.ties import Scores, Standing, standings
from artifacts.leaderboard.validation_split import ValidationSplit
from artifacts.records import BASELINE, TrialRecord
from artifacts.stages import GAN


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the leaderboard.

    Attributes:
        record: The trial, ensemble or baseline.
        run: Name of its run where several runs are compared.
        on_front: Whether no complete trial is better in one objective and equal or better in the
            other; None in a search with one objective.
        rank: 1 is best; None for rows without a rank.
        standing: Interval, equal error rate and comparison with the best; None without the scores
            of the clips.
    """

    record: TrialRecord
    run: str = ""
    on_front: bool | None = None
    rank: int | None = None
    standing: Standing | None = None

    @property
    def stage(self) -> str:
        """Stage of the record."""
        return self.record.stage

    @property
    def is_baseline(self) -> bool:
        """Whether the row is a score that needs no training."""
        return self.record.stage == BASELINE

    @property
    def is_tied(self) -> bool | None:
        """Whether the row is not significantly worse than the best; None if that is unknown."""
        return None if self.standing is None else self.standing.tied

    @property
    def name(self) -> str:
        """Name of the trial and of its folder: ``architecture/3``."""
        return self.record.name

    @property
    def key(self) -> str:
        """Name that is unique among the rows of several runs."""
        return f"{self.run}:{self.name}" if self.run else self.name

    def field(self, name: str) -> Any:
        """Return the value of one of :data:`FIELDS`."""
        return _FIELDS[name](self)


def _standing(name: str) -> Callable[[Row], Any]:
    return lambda row: None if row.standing is None else getattr(row.standing, name)


_FIELDS: Mapping[str, Callable[[Row], Any]] = {
    "rank": operator.attrgetter("rank"),
    "stage": operator.attrgetter("record.stage"),
    "trial": operator.attrgetter("record.trial"),
    "state": operator.attrgetter("record.state"),
    "val_auc": operator.attrgetter("record.validation.auc"),
    "val_log_loss": operator.attrgetter("record.validation.log_loss"),
    "kid": operator.attrgetter("record.gan.kid"),
    "params": operator.attrgetter("record.cost.params"),
    "seconds": operator.attrgetter("record.effort.seconds"),
    "reason": operator.attrgetter("record.reason"),
    "hyperparameters": operator.attrgetter("record.hyperparameters"),
    "kid_error": operator.attrgetter("record.gan.kid_error"),
    "kid_features": operator.attrgetter("record.gan.kid_features"),
    "detector_auc": operator.attrgetter("record.gan.discriminator_auc"),
    "objective": operator.attrgetter("record.validation.objective"),
    "val_pseudo_auc": operator.attrgetter("record.validation.pseudo_auc"),
    "val_pair_ranking": operator.attrgetter("record.validation.pair_ranking"),
    "method_auc": operator.attrgetter("record.validation.method_auc"),
    "file_mb": operator.attrgetter("record.cost.file_mb"),
    "latency_ms": operator.attrgetter("record.cost.latency_ms"),
    "on_front": operator.attrgetter("on_front"),
    "cost": operator.attrgetter("record.cost.objective"),
    "val_auc_ci": _standing("interval"),
    "val_eer": _standing("eer"),
    "tied_with_best": operator.attrgetter("is_tied"),
    "peak_mb": operator.attrgetter("record.effort.peak_mb"),
    "samples": operator.attrgetter("record.effort.samples"),
    "samples_asked": operator.attrgetter("record.effort.samples_asked"),
    "best_samples": operator.attrgetter("record.effort.best_samples"),
    "lineage": operator.attrgetter("record.description.lineage"),
    "streams": operator.attrgetter("record.description.streams"),
    "backbone": operator.attrgetter("record.description.backbone"),
    "what": operator.attrgetter("record.description.what"),
    "run": operator.attrgetter("run"),
}

FIELDS = tuple(_FIELDS)
"""Names of the values of a row, in the order of the columns of ``leaderboard.csv``."""


def rank_rows(
    rows: Iterable[Row],
    split: ValidationSplit | None = None,
    scores: Mapping[str, Scores] | None = None,
    *,
    by_auc: bool = False,
) -> list[Row]:
    """Return the rows best first, with their ranks and compared with the best.

    Detectors come first, then GANs, then trials that did not complete. A baseline has no rank and
    stands above all rows with a lower AUC.

    Args:
        rows: Rows in any order.
        split: Validation clips, if known; without them no row is compared.
        scores: float64 (N,) scores of these clips by the key of the row, where known.
        by_auc: Whether ranks follow the validation AUC instead of the objective.
    """
    rows = list(rows)
    trained = sorted(
        (row for row in rows if not row.is_baseline), key=lambda row: _merit(row.record, by_auc)
    )
    ranks = {row.key: place for place, row in enumerate(trained, start=1) if _has_rank(row.record)}
    ordered = _insert_baselines(trained, [row for row in rows if row.is_baseline])
    best = next((key for key, rank in ranks.items() if rank == 1), None)
    found = {} if split is None else standings(scores or {}, split.labels, split.groups, best)
    return [
        dataclasses.replace(row, rank=ranks.get(row.key), standing=found.get(row.key))
        for row in ordered
    ]


def _has_rank(record: TrialRecord) -> bool:
    return record.validation.objective is not None and record.state == "complete"


def _insert_baselines(trained: list[Row], baselines: list[Row]) -> list[Row]:
    """Return all rows, each baseline below the last detector or baseline of equal or higher AUC."""
    ordered = list(trained)
    for row in sorted(baselines, key=lambda row: (-_auc(row), row.record.trial)):
        above = [
            place
            for place, other in enumerate(ordered)
            if (other.is_baseline or _has_rank(other.record)) and _auc(other) >= _auc(row)
        ]
        ordered.insert(above[-1] + 1 if above else 0, row)
    return ordered


def _auc(row: Row) -> float:
    return row.record.validation.auc or 0


def _merit(record: TrialRecord, by_auc: bool) -> tuple[bool, bool, float, float, str, int]:
    worst = float("inf")
    validation = record.validation
    value = validation.auc if by_auc else validation.objective
    score = -value if value is not None else record.gan.kid
    return (
        record.state != "complete",
        record.stage == GAN.name,
        worst if score is None else score,
        worst if validation.log_loss is None else validation.log_loss,
        record.stage,
        record.trial,
    )
