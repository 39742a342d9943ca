"""One leaderboard of several runs on the same store."""

from __future__ import annotations

from collections.abc import Mapping

from artifacts.leaderboard.load import Leaderboard, compose_notes
from artifacts.leaderboard.rows import Row, rank_rows
from artifacts.leaderboard.validation_split import Scores
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError


def check_same_store(runs: Mapping[str, RunDirectory]) -> None:
    """Check that runs can be compared.

    Args:
        runs: Open run directories by their names.

    Raises:
        UserError: The runs are on different stores.
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
    """Return one leaderboard of several runs on the same store.

    Runs may have optimised different objectives, so ranks follow the validation AUC, then the
    log-loss. The baselines are listed once and belong to no run.

    Args:
        boards: Leaderboards by the names of the runs; at least one.
    """
    rows: list[Row] = []
    scores: dict[str, Scores] = {}
    split = next((board.split for board in boards.values() if board.split is not None), None)
    has_baselines = False
    for name, board in boards.items():
        for row in board.rows:
            if row.is_baseline and has_baselines:
                continue
            ours = Row(row.record, "" if row.is_baseline else name, row.on_front)
            rows.append(ours)
            if split is not None and row.name in board.scores:
                scores[ours.key] = board.scores[row.name]
        has_baselines = any(row.is_baseline for row in rows)
    rows = rank_rows(rows, split, scores, by_auc=True)
    notes = [note for board in boards.values() if board.split is None for note in board.notes]
    if split is not None:
        notes += compose_notes(rows, split)
    return Leaderboard(tuple(rows), tuple(dict.fromkeys(notes)), split, scores)
