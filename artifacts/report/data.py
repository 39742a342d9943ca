"""The data of a run, in a report: clips by split, and findings of the audit."""

from __future__ import annotations

from artifacts.report.parts import (
    Cell,
    Column,
    Items,
    Paragraph,
    Part,
    Row,
    Table,
    count,
    number,
)
from data_prep.audit.audit import Audit, value_text
from data_prep.store.store import SPLITS


def audit_parts(audit: Audit) -> list[Part]:
    """Return clips and people, findings by gravity, and baselines without training."""
    return [
        Paragraph(
            f"{audit.clips:,} {'SYNTHETIC ' if audit.synthetic else ''}clips of {audit.people:,} "
            "identity groups. People who share a video are in one group, each group in one split."
        ),
        Items(tuple(f"{finding.severity}: {finding.text}" for finding in audit.findings)),
        _balance(audit),
        *([_shortcuts(audit)] if audit.shortcuts else []),
    ]


def _balance(audit: Audit) -> Table:
    cells = {(row.label, row.method, row.split): row for row in audit.balance}
    kinds = sorted({key[:2] for key in cells}, reverse=True)
    rows = []
    for label, method in kinds:
        found = [cells.get((label, method, split)) for split in SPLITS]
        counts = tuple(count(row.clips if row else 0) for row in found)
        rows.append(Row((Cell(method), Cell(label), *counts)))
    return Table(
        "Clips by method and split.",
        (Column("method", number=False), Column("label", number=False), *map(Column, SPLITS)),
        tuple(rows),
    )


def _shortcuts(audit: Audit) -> Table:
    rows = []
    for row in audit.shortcuts:
        if row.constant:
            continue
        edges = "" if row.interval is None else f"{row.interval[0]:.2f} to {row.interval[1]:.2f}"
        medians = Cell(value_text(row.real)), Cell(value_text(row.fake))
        figures = (number(row.auc, 2), Cell(edges), number(row.held_out_auc, 2))
        rows.append(Row((Cell(row.name.replace("_", " ")), *medians, *figures)))
    columns = ("median of reals", "median of fakes", "AUC", "95% interval", "held out")
    return Table(
        "Baselines without training. AUC: in the better direction on all clips. Held out: in the "
        "direction that is better on train, on the other splits.",
        (Column("quantity", number=False), *map(Column, columns)),
        tuple(rows),
        sortable=True,
    )
