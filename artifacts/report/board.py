"""The leaderboard in a report: every trial, and what needs no training among them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from artifacts.records import UNTRAINED, TrialRecord
from artifacts.report.parts import (
    Cell,
    Column,
    Items,
    Missing,
    Paragraph,
    Part,
    Row,
    Table,
    count,
    number,
    with_interval,
)


def board_parts(records: Sequence[TrialRecord], notes: Sequence[str] = ()) -> list[Part]:
    """The rows of the leaderboard as they are ranked, with the columns that have any content.

    Args:
        records: in the order of merit.
        notes: what a reader should know of them.
    """
    if not records:
        return [Missing("Leaderboard", "no trial has begun yet.")]
    scored = any(record.objective not in (None, record.val_auc) for record in records)
    columns = [
        (column, cell)
        for column, cell in _COLUMNS
        if any(cell(record).text for record in records) and (scored or column.name != _SCORE)
    ]
    rows = [Row(tuple(cell(record) for _, cell in columns), _mark(record)) for record in records]
    told = (
        "All scores are of the validation split. Trials marked as tied with the best cannot be "
        "told from it on these people (paired bootstrap over identity groups)."
    )
    if scored:
        told += f" Ranks follow the {_SCORE} that the search optimised, which is more than the AUC."
    if any(record.stage == UNTRAINED for record in records):
        told += (
            " Rows named untrained are quantities of the clips, such as sharpness, that tell fakes "
            "from reals without any training: a model below them is not worth its training."
        )
    return [
        Paragraph(told),
        Table(
            f"{len(records)} rows, best first. A button in the head of a column sorts by it.",
            tuple(column for column, _ in columns),
            tuple(rows),
            sortable=True,
        ),
        *([Items(tuple(re.sub("^=", "tied:", note) for note in notes))] if notes else []),
    ]


def name_of(record: TrialRecord) -> str:
    """Such as ``training 3``, or ``untrained: sharpness``."""
    if record.stage == UNTRAINED:
        return f"{UNTRAINED}: {quantity_of(record)}"
    return f"{record.stage} {record.trial}"


def quantity_of(record: TrialRecord) -> str:
    """Which quantity an untrained row is."""
    return str(record.hyperparameters.get("quantity", record.trial)).replace("_", " ")


def _mark(record: TrialRecord) -> str:
    if record.stage == UNTRAINED:
        return "untrained"
    if record.rank == 1:
        return "best"
    return "" if record.state == "complete" else "poor"


def _tied(record: TrialRecord) -> Cell:
    if record.rank == 1:
        return Cell("best", 0)
    return Cell("tied", 1) if record.tied_with_best else Cell("")


def _epochs(record: TrialRecord) -> Cell:
    if record.epochs is None:
        return Cell("")
    asked = "" if record.epochs_asked in (None, record.epochs) else f" of {record.epochs_asked}"
    return Cell(f"{record.epochs}{asked}", record.epochs)


def _what(record: TrialRecord) -> Cell:
    what = "" if record.stage == UNTRAINED else record.what
    return Cell("; ".join(filter(None, [what, record.reason])))


_SCORE = "score"
_COLUMNS: tuple[tuple[Column, Callable[[TrialRecord], Cell]], ...] = (
    (Column("trial", number=False), lambda record: Cell(name_of(record))),
    (Column("rank"), lambda record: count(record.rank)),
    (Column("state", number=False), lambda record: Cell(record.state)),
    (Column(_SCORE), lambda record: number(record.objective)),
    (Column("AUC"), lambda record: with_interval(record.val_auc, record.val_auc_ci)),
    (Column("against the best", number=False), _tied),
    (Column("EER"), lambda record: number(record.val_eer)),
    (Column("log-loss"), lambda record: number(record.val_log_loss)),
    (Column("KID"), lambda record: number(record.kid)),
    (Column("parameters"), lambda record: count(record.params)),
    (Column("file, MB"), lambda record: number(record.file_mb, 2)),
    (Column("ms a clip"), lambda record: number(record.latency_ms, 1)),
    (Column("peak, MB"), lambda record: number(record.peak_mb, 0)),
    (Column("seconds"), lambda record: number(record.seconds, 0)),
    (Column("epochs"), _epochs),
    (Column("made of", number=False), lambda record: Cell(record.lineage)),
    (Column("what it was", number=False), _what),
)
