"""The summary of a preparation as tables for a terminal."""

from __future__ import annotations

from rich.table import Table

from data_prep.preparation.job import PreparationSummary
from data_prep.store.store import SPLITS
from search.cli.console import cell, tables

LISTED = 20


def print_preparation(summary: PreparationSummary) -> None:
    """Print clips by split, label and method; quarantined videos; coverage."""
    console = tables()
    title = f"{summary.store} ({summary.layout}, {summary.split_policy} splits)"
    table = Table(title=cell(title), title_justify="left")
    for column in ("label", "method", *SPLITS):
        table.add_column(column, justify="right" if column in SPLITS else "left")
    cells = {(count.label, count.method, count.split): count.clips for count in summary.counts}
    for label, method in sorted({key[:2] for key in cells}, reverse=True):
        counts = (str(cells.get((label, method, split), 0)) for split in SPLITS)
        table.add_row(label, cell(method), *counts)
    console.print(table)
    if summary.quarantined:
        quarantined = Table(title=f"quarantined: {len(summary.quarantined)}", title_justify="left")
        for column in ("video", "step", "reason"):
            quarantined.add_column(column, overflow="fold")
        for entry in summary.quarantined[:LISTED]:
            quarantined.add_row(cell(entry.path), cell(entry.step), cell(entry.reason))
        console.print(quarantined)
        if len(summary.quarantined) > LISTED:
            console.print(f"... and {len(summary.quarantined) - LISTED} more, in /quarantine")
    if summary.split_note:
        console.print(cell(f"note: {summary.split_note}"))
    for note in summary.notes:
        console.print(cell(f"note: {note}"))
    if summary.overlap:
        console.print(
            f"warning: {summary.overlap} identity groups are in more than one split; scores on "
            "this store include people seen in training"
        )
    if summary.paired:
        others = "" if summary.guided == summary.paired else "; other frames in the rest"
        console.print(
            f"{summary.guided} of {summary.paired} fakes of an original use its face track{others}"
        )
    if summary.silent:
        console.print(f"clips without sound: {summary.silent}")
    console.print(
        f"{summary.clips} clips of {summary.videos} videos, face coverage {summary.coverage:.3f}, "
        f"{len(summary.quarantined)} quarantined, {summary.seconds:.0f} s"
    )
    console.print(
        cell(f"next: dfsearch audit {summary.store}; dfsearch run {summary.store} RUN_DIR")
    )
