"""The leaderboard of a run, with all that is known of its rows: :func:`load`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from optuna.trial import FrozenTrial

from artifacts.ensemble_record import read_ensembles
from artifacts.leaderboard.rows import Row, rank_rows
from artifacts.leaderboard.ties import FEWEST_PEOPLE, aucs, people
from artifacts.leaderboard.trials import trial_rows
from artifacts.leaderboard.validation_split import Baseline, Scores, ValidationSplit, read_scores
from artifacts.records import BASELINE, Description, TrialRecord, ValidationFigures
from artifacts.run_directory import RunDirectory, read_json
from data_prep.errors import UserError

SHOWN_BASELINES = 3
"""Number of baselines in the table, the best ones."""


@dataclasses.dataclass(frozen=True)
class Leaderboard:
    """Rows best first, and their scores.

    Attributes:
        rows: Best first; the stages ``ensemble`` and ``untrained`` are no trials.
        notes: Remarks for the reader, one line each.
        split: Validation clips; None if neither the run nor its store has them.
        scores: float64 (N,) scores of these clips by the key of the row, where known.
    """

    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    split: ValidationSplit | None
    scores: Mapping[str, Scores]


def load(run: RunDirectory, trials: Mapping[str, Iterable[FrozenTrial]]) -> Leaderboard:
    """Return the leaderboard of a run, finished or not. Nothing is written.

    ``load(run, search.studies.study.read_trials(run))``

    Args:
        run: Open run directory.
        trials: Trials of each stage.

    Raises:
        UserError: ``ensemble.json`` is damaged.
    """
    ensembles = [Row(record) for record in read_ensembles(run)]
    rows = [*trial_rows(trials, _latencies(run)), *ensembles]
    try:
        split = ValidationSplit.read(run)
    except UserError as error:
        note = f"no intervals, ties or baselines: {error}"
        return Leaderboard(tuple(rank_rows(rows)), (note,), None, {})
    scores = _trial_scores(run, rows, len(split.labels))
    for record, baseline in _best_baselines(split):
        rows.append(Row(record))
        scores[record.name] = baseline.scores
    rows = rank_rows(rows, split, scores)
    return Leaderboard(tuple(rows), tuple(compose_notes(rows, split)), split, scores)


def _trial_scores(run: RunDirectory, rows: Sequence[Row], count: int) -> dict[str, Scores]:
    """Return the validation scores that complete trials kept, by the name of the row."""
    found = {}
    for row in rows:
        record = row.record
        if record.state == "complete" and record.validation.auc is not None:
            scores = read_scores(run.trial(record.stage, record.trial), count)
            if scores is not None:
                found[record.name] = scores
    return found


def _best_baselines(split: ValidationSplit) -> list[tuple[TrialRecord, Baseline]]:
    """Return the baselines with the highest AUC on the validation clips, as records."""
    found = [(float(aucs(one.scores[None], split.labels)[0]), one) for one in split.baselines]
    found.sort(key=lambda pair: (-pair[0], pair[1].quantity))
    rows = []
    for number, (auc, baseline) in enumerate(found[:SHOWN_BASELINES]):
        side = "higher" if baseline.higher_is_fake else "lower"
        record = TrialRecord(
            stage=BASELINE,
            trial=number,
            state="complete",
            hyperparameters={
                "quantity": baseline.quantity,
                "higher_is_fake": baseline.higher_is_fake,
            },
            validation=ValidationFigures(auc=auc),
            description=Description(f"{baseline.quantity.replace('_', ' ')} alone: {side} is fake"),
        )
        rows.append((record, baseline))
    return rows


def _latencies(run: RunDirectory) -> dict[str, float]:
    """Return the latencies that the run measured when it finished, by the name of the record."""
    try:
        held = read_json(run.latencies)
        found = {str(name): float(value) for name, value in held.items()}
    except (UserError, ValueError, TypeError, AttributeError, OverflowError):
        return {}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def compose_notes(rows: Sequence[Row], split: ValidationSplit) -> list[str]:
    """Return the limits of the intervals, and the baselines that tie with the best row."""
    fewest = people(split.labels, split.groups)
    if fewest < FEWEST_PEOPLE:
        counted = "1 person" if fewest == 1 else f"{fewest} people"
        return [
            f"no intervals and ties: validation has {counted} with the rarer label, and they need "
            f"{FEWEST_PEOPLE}"
        ]
    notes = []
    if any(row.is_tied and row.rank != 1 for row in rows):
        groups = len(set(split.groups.tolist()))
        notes.append(
            "= marks rows that are not significantly worse than rank 1 (difference in AUC, 95% CI "
            f"from a paired bootstrap over {groups} identity groups)"
        )
    tied = [
        str(row.record.hyperparameters["quantity"]).replace("_", " ")
        for row in rows
        if row.is_baseline and row.is_tied
    ]
    if tied:
        notes.append(f"rank 1 is not significantly better than these baselines: {', '.join(tied)}")
    lacking = sum(row.rank is not None and row.standing is None for row in rows)
    if lacking:
        trials = "trials" if lacking > 1 else "trial"
        notes.append(f"{lacking} complete {trials} without stored scores: no interval, no tie")
    return notes
