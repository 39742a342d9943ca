"""Columns of the leaderboard: every field of a row by name, with its heading and text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

from artifacts.leaderboard.rows import Row
from data_prep.errors import UserError

ALL = "all"

# Number of columns that still leaves room for the seconds.
_ROOM = 6


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of the table.

    Attributes:
        name: Name of the field, as in JSON and CSV.
        head: Heading.
        cell: Returns the text of a row; empty without a value.
        justify: Alignment.
        least: Smallest width of a column that may wrap; 0 if it may not.
    """

    name: str
    head: str
    cell: Callable[[Row], str]
    justify: Literal["left", "right"] = "right"
    least: int = 0


def choose_columns(wanted: Sequence[str], rows: Sequence[Row] = ()) -> list[Column]:
    """Return the columns of these names, in this order.

    Args:
        wanted: Names; ``all`` alone stands for every column with a value in one of the rows.
        rows: Rows of the table.

    Raises:
        UserError: A column does not exist.
    """
    if list(wanted) == [ALL]:
        return [one for one in COLUMNS.values() if any(map(one.cell, rows))]
    for name in wanted:
        if name not in COLUMNS:
            raise UserError(f"no column {name}; there are {', '.join(COLUMNS)} and all")
    return [COLUMNS[name] for name in wanted]


def default_columns(rows: Sequence[Row]) -> list[Column]:
    """Return the columns that answer most questions and fit a terminal of 100 characters.

    The table shows the objective if ranks do not follow the AUC alone. It shows the second
    objective and the front of a search with two, and the run if runs are compared. Any of these
    replaces the seconds.
    """
    detectors = [row for row in rows if row.rank is not None]
    cost = next((row.record.cost.objective for row in detectors if row.record.cost.objective), "")
    names = ["rank", "trial", "state", "val_auc"]
    if any(row.run for row in rows):
        # Ranks across runs follow the AUC, not the objective.
        names.insert(1, "run")
    elif any(row.field("objective") not in (None, row.field("val_auc")) for row in rows):
        names.insert(3, "objective")
    if cost:
        names += [cost, "on_front"]
    names.append("params")
    if cost != "latency_ms" and any(row.record.cost.latency_ms is not None for row in rows):
        names.append("latency_ms")
    if len(names) <= _ROOM:
        names.append("seconds")
    return choose_columns([*names, "what"])


def format_number(value: float | None, digits: int) -> str:
    """Return a number with so many decimals; nothing for ``None``."""
    return "" if value is None else f"{value:.{digits}f}"


def format_count(value: int | None) -> str:
    """Return a count in at most four characters and a letter: 950, 12.3k, 3.4M."""
    if value is None:
        return ""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            digits = 1 if value < 100 * size else 0
            return f"{value / size:.{digits}f}{letter}"
    return str(value)


def format_auc(row: Row) -> str:
    """Return the AUC with its interval, ``0.912 [0.80, 0.98]``; for a GAN its KID."""
    auc, kid = row.record.validation.auc, row.record.gan.kid
    if auc is None:
        return "" if kid is None else f"KID {kid:.3f}"
    edges = None if row.standing is None else row.standing.interval
    return format_number(auc, 3) + (f" [{edges[0]:.2f}, {edges[1]:.2f}]" if edges else "")


def _rank(row: Row) -> str:
    tied = "=" if row.is_tied and row.rank != 1 else ""
    return " ".join(filter(None, ["" if row.rank is None else str(row.rank), tied]))


def _trial(row: Row) -> str:
    return "baseline" if row.is_baseline else f"{row.stage} {row.record.trial}"


def _state(row: Row) -> str:
    return "" if row.is_baseline else row.record.state


def _samples(row: Row) -> str:
    """Return the number of samples shown, and the number asked if it had fewer."""
    done, asked = row.record.effort.samples, row.record.effort.samples_asked
    if done is None or asked is None or done >= asked:
        return "" if done is None else f"{done:,}"
    return f"{done:,} of {asked:,}"


def _methods(row: Row) -> str:
    """Return the AUC of each method that was left out, the lowest first."""
    methods = sorted((row.record.validation.method_auc or {}).items(), key=lambda found: found[1])
    return ", ".join(f"{method} {auc:.3f}" for method, auc in methods)


def _what(row: Row) -> str:
    """Return the description, the AUC on methods left out, and the reason."""
    left_out = _methods(row)
    parts = [
        row.record.description.what,
        f"left out: {left_out}" if left_out else "",
        row.record.reason,
    ]
    return "; ".join(filter(None, parts))


def _field(name: str, digits: int) -> Callable[[Row], str]:
    return lambda row: format_number(row.field(name), digits)


def _text(name: str) -> Callable[[Row], str]:
    return lambda row: str(row.field(name))


def _whole(name: str) -> Callable[[Row], str]:
    return lambda row: "" if row.field(name) is None else str(row.field(name))


_COLUMNS = (
    Column("run", "run", _text("run"), "left", least=8),
    Column("rank", "rank", _rank),
    Column("trial", "trial", _trial, "left"),
    Column("state", "state", _state, "left"),
    Column("objective", "score", _field("objective", 3)),
    Column("val_auc", "val AUC", format_auc, "left"),
    Column("val_eer", "EER", _field("val_eer", 3)),
    Column("val_log_loss", "log-loss", _field("val_log_loss", 3)),
    Column("val_pseudo_auc", "pseudo AUC", _field("val_pseudo_auc", 3)),
    Column("val_pair_ranking", "pairs", _field("val_pair_ranking", 3)),
    Column("method_auc", "left out", _methods, "left", least=20),
    Column("kid", "KID", _field("kid", 3)),
    Column("detector_auc", "discriminator AUC", _field("detector_auc", 3)),
    Column("params", "params", lambda row: format_count(row.record.cost.params)),
    Column("file_mb", "MB", _field("file_mb", 2)),
    Column("latency_ms", "ms", _field("latency_ms", 1)),
    Column("peak_mb", "peak MB", _field("peak_mb", 0)),
    Column("on_front", "front", lambda row: "*" if row.on_front else "", "left"),
    Column("seconds", "s", _field("seconds", 0)),
    Column("samples", "samples", _samples),
    Column("best_samples", "best after", _whole("best_samples")),
    Column("lineage", "made from", _text("lineage"), "left"),
    Column("streams", "streams", lambda row: " + ".join(row.record.description.streams), "left"),
    Column("backbone", "backbone", _text("backbone"), "left"),
    Column("reason", "reason", _text("reason"), "left", least=24),
    Column("what", "what", _what, "left", least=20),
)

COLUMNS = {column.name: column for column in _COLUMNS}
"""Every column by its name."""
