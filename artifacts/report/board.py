"""The leaderboard in a report: every trial, and baselines without training."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from artifacts.leaderboard.rows import Row as BoardRow
from artifacts.records import BASELINE
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


def board_parts(rows: Sequence[BoardRow], notes: Sequence[str] = ()) -> list[Part]:
    """Return the ranked rows of the leaderboard, with the columns that have any content.

    Args:
        rows: rows, best first.
        notes: remarks for the reader.
    """
    if not rows:
        return [Missing("Leaderboard", "no trial has begun yet.")]
    scored = any(row.field("objective") not in (None, row.field("val_auc")) for row in rows)
    columns = [
        (column, cell)
        for column, cell in _COLUMNS
        if any(cell(row).text for row in rows) and (scored or column.name != _SCORE)
    ]
    shown = [Row(tuple(cell(row) for _, cell in columns), _mark(row)) for row in rows]
    text = (
        "All scores are of the validation split. Trials marked as tied with the best are not "
        "significantly worse on these people (paired bootstrap over identity groups)."
    )
    if scored:
        text += f" Ranks follow the {_SCORE} that the search optimised, which is more than the AUC."
    if any(row.is_baseline for row in rows):
        text += (
            " Rows named untrained are baselines: quantities of the clips, such as sharpness, that "
            "separate fakes from reals without training. A useful model scores above them."
        )
    return [
        Paragraph(text),
        Table(
            f"{len(rows)} rows, best first. A button in the head of a column sorts by it.",
            tuple(column for column, _ in columns),
            tuple(shown),
            sortable=True,
        ),
        *([Items(tuple(re.sub("^=", "tied:", note) for note in notes))] if notes else []),
    ]


def row_name(row: BoardRow) -> str:
    """Return a name such as ``training 3`` or ``untrained: sharpness``."""
    if row.is_baseline:
        return f"{BASELINE}: {baseline_name(row)}"
    return f"{row.stage} {row.record.trial}"


def baseline_name(row: BoardRow) -> str:
    """Return the quantity of a row without training."""
    return str(row.record.hyperparameters.get("quantity", row.record.trial)).replace("_", " ")


def _mark(row: BoardRow) -> str:
    if row.is_baseline:
        return "untrained"
    if row.rank == 1:
        return "best"
    return "" if row.record.state == "complete" else "poor"


def _tied(row: BoardRow) -> Cell:
    if row.rank == 1:
        return Cell("best", 0)
    return Cell("tied", 1) if row.is_tied else Cell("")


def _samples(row: BoardRow) -> Cell:
    done, planned = row.record.effort.samples, row.record.effort.samples_asked
    if done is None:
        return Cell("")
    asked = "" if planned in (None, done) else f" of {planned:,}"
    return Cell(f"{done:,}{asked}", done)


def _what(row: BoardRow) -> Cell:
    what = "" if row.is_baseline else row.record.description.what
    return Cell("; ".join(filter(None, [what, row.record.reason])))


_SCORE = "score"
_COLUMNS: tuple[tuple[Column, Callable[[BoardRow], Cell]], ...] = (
    (Column("trial", number=False), lambda row: Cell(row_name(row))),
    (Column("rank"), lambda row: count(row.rank)),
    (Column("state", number=False), lambda row: Cell(row.record.state)),
    (Column(_SCORE), lambda row: number(row.field("objective"))),
    (Column("AUC"), lambda row: with_interval(row.field("val_auc"), row.field("val_auc_ci"))),
    (Column("against the best", number=False), _tied),
    (Column("EER"), lambda row: number(row.field("val_eer"))),
    (Column("log-loss"), lambda row: number(row.field("val_log_loss"))),
    (Column("KID"), lambda row: number(row.field("kid"))),
    (Column("parameters"), lambda row: count(row.field("params"))),
    (Column("file, MB"), lambda row: number(row.field("file_mb"), 2)),
    (Column("ms a clip"), lambda row: number(row.field("latency_ms"), 1)),
    (Column("peak, MB"), lambda row: number(row.field("peak_mb"), 0)),
    (Column("seconds"), lambda row: number(row.field("seconds"), 0)),
    (Column("samples"), _samples),
    (Column("made of", number=False), lambda row: Cell(row.field("lineage"))),
    (Column("description", number=False), _what),
)
