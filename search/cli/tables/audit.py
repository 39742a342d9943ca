"""Audits and verifications as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from data_prep.audit.audit import Audit, interval_text, is_shortcut, value_text
from data_prep.audit.separation import FEWEST_PEOPLE
from data_prep.store.store import SPLITS
from data_prep.store.verify_report import Problem
from data_prep.text import visible
from search.cli.console import cell, tables

_COLOURS = {"leak": "bold red", "warning": "yellow", "note": ""}
_LISTED = 50


def print_audit(audit: Audit, picture: Path | None) -> None:
    """Print clips and coverage, baselines without training, then findings, gravest first.

    Args:
        audit: result of the audit.
        picture: file of the sample crops, if it could be written.
    """
    console = tables()
    _print_balance(console, audit)
    _print_shortcuts(console, audit)
    _print_leaks(console, audit)
    for finding in audit.findings:
        line = Text(f"{finding.severity}: ", _COLOURS[finding.severity])
        console.print(line.append(visible(finding.text), ""))
    if picture is not None:
        console.print(cell(f"sample crops: {picture}"))


def _print_balance(console: Console, audit: Audit) -> None:
    kind = "SYNTHETIC clips" if audit.synthetic else "clips"
    people = f"{audit.people} identity group{'s' if audit.people > 1 else ''}"
    console.print(cell(f"{audit.store}: {audit.clips} {kind} of {people}"))
    table = _table("", ("label", "method"), SPLITS)
    cells = {(row.label, row.method, row.split): row.clips for row in audit.balance}
    for label, method in sorted({key[:2] for key in cells}, reverse=True):
        counts = (str(cells.get((label, method, split), 0)) for split in SPLITS)
        table.add_row(label, cell(method), *counts)
    console.print(table)
    table = _table(
        "face coverage", ("split", "label"), ("frames with a face", "clips with a missing face")
    )
    one_split = len({row.split for row in audit.coverage}) <= 2
    for row in audit.coverage:
        if row.split != "all" or not one_split:
            table.add_row(row.split, row.label, f"{row.mean:.1%}", f"{row.incomplete:.1%}")
    console.print(table)


def _print_shortcuts(console: Console, audit: Audit) -> None:
    if not audit.shortcuts:
        return
    table = _table(
        "baselines without training",
        ("quantity",),
        ("real", "fake", "AUC", "95% CI", "held out"),
    )
    for row in audit.shortcuts:
        shown = "yellow" if is_shortcut(row.auc, row.interval) else ""
        values = cell(value_text(row.real)), cell(value_text(row.fake))
        if row.constant:
            table.add_row(cell(row.name), *values, "constant", "", "")
            continue
        held_out = "" if row.held_out_auc is None else f"{row.held_out_auc:.2f}"
        edges = interval_text(row.interval).strip(" ()") if row.interval else ""
        table.add_row(cell(row.name), *values, f"{row.auc:.2f}", edges, held_out, style=shown)
    if audit.combined and audit.combined.auc is not None:
        edges = interval_text(audit.combined.interval).strip(" ()")
        table.add_row("all combined", "", "", "", edges, f"{audit.combined.auc:.2f}")
    console.print(table)
    console.print(
        "AUC: on all clips, in its better direction. Held out: on val and test, in the direction "
        "of train.\nAll combined: on people not used for the fit. Intervals are over identity "
        f"groups and need {FEWEST_PEOPLE} of each label."
    )


def _print_leaks(console: Console, audit: Audit) -> None:
    if not audit.leaks:
        return
    table = _table("in more than one split", ("kind",), ("count",), ("example",))
    for leak in audit.leaks:
        for number, example in enumerate(leak.examples):
            clips = [f"{clip.split}: {clip.key}" for clip in example.clips]
            kind = leak.kind if leak.certain else f"{leak.kind} (likely)"
            table.add_row(
                "" if number else kind,
                "" if number else str(leak.count),
                Text("\n".join(map(visible, [example.what, *clips]))),
            )
    console.print(table)


def print_problems(path: Path, problems: Sequence[Problem]) -> None:
    """Print every problem of a store."""
    console = tables()
    if not problems:
        console.print(cell(f"{path}: intact; content and fingerprint agree"))
        return
    table = Table(
        title=cell(f"{path}: {len(problems)} problem{'s' if len(problems) > 1 else ''}"),
        title_justify="left",
    )
    table.add_column("location", overflow="fold")
    table.add_column("problem", overflow="fold")
    for problem in problems[:_LISTED]:
        table.add_row(cell(problem.where), cell(problem.what))
    console.print(table)
    if len(problems) > _LISTED:
        console.print(f"... and {len(problems) - _LISTED} more; --json prints all")


def _table(
    title: str, left: Sequence[str], right: Sequence[str], folded: Sequence[str] = ()
) -> Table:
    table = Table(title=Text(title) if title else None, title_justify="left")
    for column in left:
        table.add_column(column, overflow="fold")
    for column in right:
        table.add_column(column, justify="right")
    for column in folded:
        table.add_column(column, overflow="fold")
    return table
