"""Exported files as a table for a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from artifacts.models.export_check import Exported
from artifacts.models.export_run import RECORD, Exports
from search.cli.console import cell, tables


def print_exports(exports: Exports) -> None:
    """Print every file with its size, difference, time of a clip and AUC, or its error."""
    table = Table(
        title=cell(f"{exports.folder}, compared on {exports.clips}"), title_justify="left"
    )
    for column in ("format", "precision", "file"):
        table.add_column(column, overflow="fold")
    for column in ("MB", "difference", "ms/clip", "AUC", "change, 95% CI"):
        table.add_column(column, justify="right")
    for row in exports.rows:
        table.add_row(row.format, row.precision, *_cells(row))
    console = tables()
    console.print(table)
    console.print(
        "difference: the largest between its probabilities and those of best_model.h5; record: "
        f"{exports.folder / RECORD}",
        markup=False,
    )


def _cells(row: Exported) -> tuple[Text | str, ...]:
    if row.error:
        return (cell(row.error, style="red"),)
    change = (
        "" if row.auc_change is None else f"{row.auc_change[0]:+.3f} to {row.auc_change[1]:+.3f}"
    )
    return (
        cell(row.file),
        f"{row.bytes / 1e6:.2f}",
        "" if row.difference is None else f"{row.difference:.1e}",
        "" if row.milliseconds is None else f"{row.milliseconds:.1f}",
        "" if row.auc is None else f"{row.auc:.3f}",
        change,
    )
