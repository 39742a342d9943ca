"""The leaderboard: a table to read, rows for programs, a CSV beside the model."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from artifacts.leaderboard.columns import Column, usual
from artifacts.leaderboard.descriptions import architectures_of, told
from artifacts.records import TrialRecord
from data_prep.errors import UserError

FIELDS = tuple(field.name for field in dataclasses.fields(TrialRecord))
"""Of a row, in the order of the CSV."""


def rows(records: Sequence[TrialRecord], fields: Sequence[str] = FIELDS) -> list[dict[str, Any]]:
    """Records as plain rows for JSON.

    Args:
        records: in their order.
        fields: which of :data:`FIELDS`, in this order.
    """
    found = [dataclasses.asdict(record) for record in records]
    return [{name: _listed(row[name]) for name in fields} for row in found]


def to_csv(records: Sequence[TrialRecord], fields: Sequence[str] = FIELDS) -> str:
    """Records as CSV; what is no single value, as the hyperparameters, is a column of JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    for row in rows(records, fields):
        writer.writerow([_plain(value) for value in row.values()])
    return text.getvalue()


def _listed(value: Any) -> Any:
    """A tuple as the list that JSON makes of it."""
    return list(value) if isinstance(value, tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    return value


def to_table(
    records: Sequence[TrialRecord], title: str, shown: Sequence[Column] | None = None
) -> Table:
    """Records as a table for the terminal: AUC, or KID for a GAN.

    Args:
        records: in their order.
        title: above the table.
        shown: which columns; without, those of :func:`artifacts.leaderboard.columns.usual`.
    """
    records, shown = _worded(records), shown or usual(records)
    # A table may be narrower than its title.
    heading = Text(title, no_wrap=True, overflow="ignore")
    table = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD)
    for column in shown:
        if column.least:
            table.add_column(column.head, overflow="fold", min_width=column.least)
        else:
            table.add_column(column.head, justify=column.justify, no_wrap=True)
    for record in records:
        table.add_row(
            *(escape(column.cell(record)) for column in shown),
            style="bold" if record.rank == 1 else None,
        )
    return table


def to_markdown(records: Sequence[TrialRecord], shown: Sequence[Column] | None = None) -> str:
    """Records as a Markdown table; see :func:`to_table`."""
    records, shown = _worded(records), shown or usual(records)
    sides = {"left": ":--", "right": "--:"}
    lines = [
        [column.head for column in shown],
        [sides[column.justify] for column in shown],
        *([_in_markdown(column.cell(record)) for column in shown] for record in records),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _in_markdown(text: str) -> str:
    """In one line, and with what Markdown and HTML would read as theirs made plain."""
    for letter in "\\|`*_[]<>":
        text = text.replace(letter, f"\\{letter}")
    return " ".join(text.split())


def _worded(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Records that say what they tried, also those that come straight from a study."""
    architectures = architectures_of(records)
    return [record if record.what else told(record, architectures) for record in records]


def find(records: Sequence[TrialRecord], name: str) -> TrialRecord:
    """The trial called ``STAGE/NUMBER``.

    Raises:
        UserError: there is none of that name.
    """
    for record in records:
        if record.name == name:
            return record
    known = ", ".join(record.name for record in records[:3])
    raise UserError(f"no trial {name}; trials are named like {known or 'architecture/0'}")


def to_sheet(record: TrialRecord, history: str) -> Table:
    """One trial in full: what it was, every hyperparameter, every epoch.

    Args:
        record: the trial.
        history: its epochs as CSV, or nothing.
    """
    sheet = Table(box=box.SIMPLE_HEAD, show_header=False)
    sheet.add_column(no_wrap=True)
    sheet.add_column(overflow="fold")
    facts = dataclasses.asdict(record)
    hyperparameters = facts.pop("hyperparameters")
    for name, value in facts.items():
        if value not in (None, "", ()):
            sheet.add_row(name, escape(str(value)))
    sheet.add_section()
    for name, value in hyperparameters.items():
        sheet.add_row(escape(name), escape(str(value)))
    if history:
        sheet.add_section()
        for line in history.splitlines():
            epoch, *values = line.split(",")
            sheet.add_row(Text(epoch), Text("  ".join(f"{_short(value):<8}" for value in values)))
    return sheet


def _short(value: str) -> str:
    """Eight characters of a value; of a number with an exponent, so many digits as leave room."""
    try:
        return f"{float(value):.3g}" if "e" in value else value[:8]
    except ValueError:
        return value[:8]
