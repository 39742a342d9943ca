"""The leaderboard: a table to read, rows for programs, a CSV beside the model."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import JustifyMethod
from rich.markup import escape
from rich.table import Table

from artifacts.records import TrialRecord

STREAMS = ("spatial", "micro_expression", "noise_residual")


def rows(records: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Records as plain rows for JSON."""
    return [dataclasses.asdict(record) for record in records]


def to_csv(records: Sequence[TrialRecord]) -> str:
    """Records as CSV, the hyperparameters as one JSON column."""
    text = io.StringIO()
    fields = [field.name for field in dataclasses.fields(TrialRecord)]
    writer = csv.DictWriter(text, fields, lineterminator="\n")
    writer.writeheader()
    for row in rows(records):
        row["hyperparameters"] = json.dumps(row["hyperparameters"], sort_keys=True)
        writer.writerow(row)
    return text.getvalue()


def to_table(records: Sequence[TrialRecord], title: str) -> Table:
    """Records as a table for the terminal; the score is AUC, or KID for a GAN."""
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD)
    columns: dict[str, JustifyMethod] = {
        "rank": "right",
        "trial": "left",
        "state": "left",
        "val AUC": "right",
        "params": "right",
        "s": "right",
    }
    for name, justify in columns.items():
        table.add_column(name, justify=justify, no_wrap=True)
    table.add_column("what", overflow="fold", min_width=24)
    architectures = {
        str(record.trial): record.hyperparameters
        for record in records
        if record.stage == "architecture"
    }
    for record in records:
        table.add_row(
            "" if record.rank is None else str(record.rank),
            f"{record.stage} {record.trial}",
            record.state,
            _number(record.val_auc, 3) or ("" if record.kid is None else f"KID {record.kid:.3f}"),
            "" if record.params is None else f"{record.params:,}",
            _number(record.seconds, 0),
            escape("; ".join(filter(None, [describe(record, architectures), record.reason]))),
            style="bold" if record.rank == 1 else None,
        )
    return table


def describe(record: TrialRecord, architectures: Mapping[str, Mapping[str, Any]]) -> str:
    """What a trial tried, in a few words.

    Args:
        record: the trial.
        architectures: hyperparameters of the architecture trials by number.
    """
    chosen = record.hyperparameters
    if not chosen:
        return ""
    if record.stage == "gan":
        return f"{chosen['kind']}, {chosen['loss']}, latent {chosen['latent']}"
    if record.stage == "training":
        ground = architectures.get(chosen["architecture"], {})
        return (
            f"{_streams(ground)} (trial {chosen['architecture']}): {chosen['optimizer']} "
            f"{chosen['learning_rate']:.2g}, batch {chosen['batch_size']}, "
            f"{chosen['epochs']} epochs" + (", augmented" if chosen["augment"] else "")
        )
    return _streams(chosen)


def _streams(chosen: Mapping[str, Any]) -> str:
    """Active streams of an architecture, with backbone and temporal model."""
    parts = []
    for stream in STREAMS:
        inside = f"detector/{stream}/"
        if not any(name.startswith(inside) for name in chosen):
            continue
        if stream == "spatial":
            kind = chosen.get("detector/temporal/kind", "")
            parts.append(f"spatial {chosen.get(inside + 'backbone', '')} {kind}".rstrip())
        else:
            parts.append(stream.replace("_", "-"))
    return " + ".join(parts)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
