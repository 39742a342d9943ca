"""Runs on the same store in one leaderboard."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from artifacts.leaderboard.load import Leaderboard, judged, key, notes_on
from artifacts.leaderboard.validation_split import Scores
from artifacts.records import UNTRAINED, TrialRecord, placed
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError


def check_same_store(runs: Mapping[str, RunDirectory]) -> None:
    """Check that runs can be compared.

    Args:
        runs: open run directories by their names.

    Raises:
        UserError: they are of different stores.
    """
    found = {name: run.read_fingerprint() for name, run in runs.items()}
    (first, of_first), *others = found.items()
    for name, fingerprint in others:
        if fingerprint != of_first:
            raise UserError(
                f"{first} and {name} are runs on different stores (fingerprints {of_first[:12]} "
                f"and {fingerprint[:12]}); only runs on the same clips can be compared"
            )


def compare(boards: Mapping[str, Leaderboard]) -> Leaderboard:
    """One leaderboard of several runs on the same store.

    Runs may have optimised different objectives, so ranks follow the validation AUC, then the
    log-loss. What needs no training stands there once, and belongs to no run.

    Args:
        boards: by the names of the runs; at least one.
    """
    records: list[TrialRecord] = []
    scores: dict[str, Scores] = {}
    split = next((board.split for board in boards.values() if board.split is not None), None)
    has_untrained = False
    for name, board in boards.items():
        for record in board.records:
            if record.stage == UNTRAINED and has_untrained:
                continue
            ours = record if record.stage == UNTRAINED else dataclasses.replace(record, run=name)
            records.append(ours)
            if split is not None and record.name in board.scores:
                scores[key(ours)] = board.scores[record.name]
        has_untrained = any(record.stage == UNTRAINED for record in records)
    records = placed(records, by_auc=True)
    notes = [note for board in boards.values() if board.split is None for note in board.notes]
    if split is not None:
        records = judged(records, split, scores)
        notes += notes_on(records, split)
    return Leaderboard(tuple(records), tuple(dict.fromkeys(notes)), split, scores)
