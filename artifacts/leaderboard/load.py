"""The leaderboard of a run, with all that is known of its rows: :func:`load`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from optuna.trial import FrozenTrial

from artifacts.ensemble_record import ensemble_rows
from artifacts.leaderboard.descriptions import architectures_of, describe, told
from artifacts.leaderboard.ties import FEWEST_PEOPLE, aucs, people, standings
from artifacts.leaderboard.validation_split import Scores, Untrained, ValidationSplit, read_scores
from artifacts.records import UNTRAINED, TrialRecord, placed, ranked
from artifacts.run_directory import RunDirectory, read_json
from data_prep.errors import UserError

SHOWN_UNTRAINED = 3
"""So many quantities that need no training stand in the table, the best."""


@dataclasses.dataclass(frozen=True)
class Leaderboard:
    """Rows in the order of merit, and what is behind them.

    Attributes:
        records: best first; of no trial are those of the stages ``ensemble`` and ``untrained``.
        notes: what a reader should know of them, a line each.
        split: the validation clips; None where neither the run nor its store tells of them.
        scores: float64 (N,) of these clips, by :func:`key` of the record; of those that are known.
    """

    records: tuple[TrialRecord, ...]
    notes: tuple[str, ...]
    split: ValidationSplit | None
    scores: Mapping[str, Scores]


def load(run: RunDirectory, trials: Mapping[str, Iterable[FrozenTrial]]) -> Leaderboard:
    """Everything of a run's leaderboard; also while the run is going on, or when it has died.

    ``loading.load(run, search.studies.study.trials(run.journal))``. Nothing is written.

    Args:
        run: an open run directory.
        trials: of each stage.

    Raises:
        UserError: ``ensemble.json`` is damaged.
    """
    records = ranked(trials, ensemble_rows(run))
    architectures, latencies = architectures_of(records), _latencies(run)
    records = [told(record, architectures) for record in records]
    records = [_with_latency(record, latencies) for record in records]
    notes, split, scores = [], None, {}
    try:
        split = ValidationSplit.read(run)
    except UserError as error:
        notes.append(f"no intervals, ties and scores without training: {error}")
    if split is not None:
        for record in records:
            if record.state == "complete" and record.val_auc is not None:
                found = read_scores(run.trial(record.stage, record.trial), len(split.labels))
                if found is not None:
                    scores[record.name] = found
        for record, untrained in _best_untrained(split):
            records.append(record)
            scores[record.name] = untrained.scores
        records = judged(placed(records), split, scores)
        notes += notes_on(records, split)
    return Leaderboard(tuple(records), tuple(notes), split, scores)


def judged(
    records: Sequence[TrialRecord], split: ValidationSplit, scores: Mapping[str, Scores]
) -> list[TrialRecord]:
    """The records with intervals, equal error rates, and whether they are tied with the best.

    Args:
        records: in the order of merit.
        split: the clips that were scored.
        scores: of these, by :func:`key` of the record.
    """
    best = next((key(record) for record in records if record.rank == 1), None)
    found = standings(scores, split.labels, split.groups, best)
    return [
        dataclasses.replace(
            record,
            val_auc_ci=standing.interval,
            val_eer=standing.eer,
            tied_with_best=standing.tied,
        )
        if (standing := found.get(key(record)))
        else record
        for record in records
    ]


def key(record: TrialRecord) -> str:
    """What tells a record from all others, also of other runs."""
    return f"{record.run}:{record.name}" if record.run else record.name


def _best_untrained(split: ValidationSplit) -> list[tuple[TrialRecord, Untrained]]:
    """The quantities that separate the validation clips best, as records."""
    found = []
    for untrained in split.untrained:
        auc = float(aucs(untrained.scores[None], split.labels)[0])
        found.append((auc, untrained))
    found.sort(key=lambda one: (-one[0], one[1].quantity))
    rows = []
    for number, (auc, untrained) in enumerate(found[:SHOWN_UNTRAINED]):
        record = TrialRecord(
            rank=None,
            stage=UNTRAINED,
            trial=number,
            state="complete",
            val_auc=auc,
            val_log_loss=None,
            kid=None,
            params=None,
            seconds=None,
            reason="",
            hyperparameters={
                "quantity": untrained.quantity,
                "higher_is_fake": untrained.higher_is_fake,
            },
        )
        rows.append((dataclasses.replace(record, what=describe(record, {})), untrained))
    return rows


def _latencies(run: RunDirectory) -> dict[str, float]:
    """What the run measured of kept models when it finished, by record; none where it has not."""
    try:
        held = read_json(run.latencies)
        found = {str(name): float(value) for name, value in held.items()}
    except (UserError, ValueError, TypeError, AttributeError, OverflowError):
        return {}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _with_latency(record: TrialRecord, latencies: Mapping[str, float]) -> TrialRecord:
    if record.latency_ms is not None or record.name not in latencies:
        return record
    return dataclasses.replace(record, latency_ms=latencies[record.name])


def notes_on(records: Sequence[TrialRecord], split: ValidationSplit) -> list[str]:
    """What the intervals rest on, and who is not told from the best."""
    fewest = people(split.labels, split.groups)
    if fewest < FEWEST_PEOPLE:
        counted = "1 person" if fewest == 1 else f"{fewest} people"
        return [
            f"validation has {counted} of a label: too few for intervals and ties, which need "
            f"{FEWEST_PEOPLE}"
        ]
    notes = []
    if any(record.tied_with_best and record.rank != 1 for record in records):
        groups = len(set(split.groups.tolist()))
        notes.append(
            "= is not told from rank 1 by these validation clips (95% interval of the difference "
            f"in AUC, paired bootstrap over {groups} identity groups)"
        )
    ahead = [
        str(record.hyperparameters["quantity"]).replace("_", " ")
        for record in records
        if record.stage == UNTRAINED and record.tied_with_best
    ]
    if ahead:
        notes.append(f"no better than without any training, as far as it shows: {', '.join(ahead)}")
    lacking = sum(record.rank is not None and record.val_eer is None for record in records)
    if lacking:
        trials = "trials" if lacking > 1 else "trial"
        notes.append(f"{lacking} complete {trials} kept no scores of clips: no interval, no tie")
    return notes
