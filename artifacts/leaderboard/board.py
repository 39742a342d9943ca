"""Formats of the leaderboard: a table for the terminal, JSON rows, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from artifacts.leaderboard.columns import Column, default_columns
from artifacts.leaderboard.rows import FIELDS, Row
from data_prep.errors import UserError
from data_prep.text import guard_cell, one_line, visible


def to_dicts(rows: Sequence[Row], fields: Sequence[str] = FIELDS) -> list[dict[str, Any]]:
    """Return the rows as dictionaries for JSON.

    Args:
        rows: Rows in their order.
        fields: Some of :data:`artifacts.leaderboard.rows.FIELDS`, in this order.
    """
    return [{name: _plain(row.field(name)) for name in fields} for row in rows]


def to_csv(rows: Sequence[Row], fields: Sequence[str] = FIELDS) -> str:
    """Return the rows as CSV; a value with several parts, such as hyperparameters, is JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    for row in to_dicts(rows, fields):
        writer.writerow([_csv_cell(value) for value in row.values()])
    return text.getvalue()


def _plain(value: Any) -> Any:
    """Return a value of the types that JSON returns."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _csv_cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    return guard_cell(value)


def to_table(rows: Sequence[Row], title: str, shown: Sequence[Column] | None = None) -> Table:
    """Return the rows as a table for the terminal: AUC, or KID for a GAN.

    Args:
        rows: Rows in their order.
        title: Heading of the table.
        shown: Columns; by default those of :func:`artifacts.leaderboard.columns.default_columns`.
    """
    shown = shown or default_columns(rows)
    # A table may be narrower than its title.
    heading = Text(visible(title), no_wrap=True, overflow="ignore")
    table = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD)
    for column in shown:
        if column.least:
            table.add_column(column.head, overflow="fold", min_width=column.least)
        else:
            table.add_column(column.head, justify=column.justify, no_wrap=True)
    for row in rows:
        table.add_row(
            *(Text(visible(column.cell(row))) for column in shown),
            style="bold" if row.rank == 1 else None,
        )
    return table


def to_markdown(rows: Sequence[Row], shown: Sequence[Column] | None = None) -> str:
    """Return the rows as a Markdown table; see :func:`to_table`."""
    shown = shown or default_columns(rows)
    sides = {"left": ":--", "right": "--:"}
    lines = [
        [column.head for column in shown],
        [sides[column.justify] for column in shown],
        *([_in_markdown(column.cell(row)) for column in shown] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _in_markdown(text: str) -> str:
    """Return a text in one line, with the marks of Markdown and HTML escaped."""
    for letter in "\\|`*_[]<>":
        text = text.replace(letter, f"\\{letter}")
    return one_line(text)


def find_row(rows: Sequence[Row], name: str) -> Row:
    """Return the row called ``STAGE/NUMBER``.

    Raises:
        UserError: No row has that name.
    """
    for row in rows:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in rows[:3])
    raise UserError(f"no trial {name}; trials are named like {known or 'architecture/0'}")


def to_sheet(row: Row, history: str) -> Table:
    """Return one trial in full: its fields, every hyperparameter, every epoch.

    Args:
        row: Row of the trial.
        history: Its epochs as CSV, or nothing.
    """
    sheet = Table(box=box.SIMPLE_HEAD, show_header=False)
    sheet.add_column(no_wrap=True)
    sheet.add_column(overflow="fold")
    for name in FIELDS:
        value = row.field(name)
        if name != "hyperparameters" and value not in (None, "", ()):
            sheet.add_row(name, Text(visible(str(value))))
    sheet.add_section()
    for name, value in row.record.hyperparameters.items():
        sheet.add_row(Text(visible(name)), Text(visible(str(value))))
    if history:
        sheet.add_section()
        for line in history.splitlines():
            epoch, *values = line.split(",")
            sheet.add_row(
                Text(visible(epoch)),
                Text(visible("  ".join(f"{_short(value):<8}" for value in values))),
            )
    return sheet


def _short(value: str) -> str:
    """Return a value in eight characters; a number with an exponent keeps three digits."""
    try:
        return f"{float(value):.3g}" if "e" in value else value[:8]
    except ValueError:
        return value[:8]
