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

from artifacts.ensemble_record import STAGE
from artifacts.records import TrialRecord
from data_prep.errors import UserError
from spaces.streams import GAN, STREAMS


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
        for name in ("hyperparameters", "method_auc"):
            if row[name] is not None:
                row[name] = json.dumps(row[name], sort_keys=True)
        writer.writerow(row)
    return text.getvalue()


def to_table(records: Sequence[TrialRecord], title: str) -> Table:
    """Records as a table for the terminal: AUC, or KID for a GAN.

    Where ranks do not follow the AUC alone, a column has the score that they follow. Where a search
    had two objectives, columns have the second and mark the front.
    """
    scored = any(record.objective not in (None, record.val_auc) for record in records)
    cost = _cost(records)
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD)
    columns: dict[str, JustifyMethod] = {
        "rank": "right",
        "trial": "left",
        "state": "left",
        **({"score": "right"} if scored else {}),
        "val AUC": "right",
        **({cost: "right", "front": "left"} if cost else {}),
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
            *([_number(record.objective, 3)] if scored else []),
            _number(record.val_auc, 3) or ("" if record.kid is None else f"KID {record.kid:.3f}"),
            *([_number(getattr(record, cost), 2), "*" if record.on_front else ""] if cost else []),
            "" if record.params is None else f"{record.params:,}",
            _number(record.seconds, 0),
            escape("; ".join(filter(None, [describe(record, architectures), *_said(record)]))),
            style="bold" if record.rank == 1 else None,
        )
    return table


def _cost(records: Sequence[TrialRecord]) -> str:
    """The second objective of a search that had two."""
    on_front = [record for record in records if record.on_front]
    if not on_front:
        return ""
    return "file_mb" if on_front[0].file_mb is not None else "latency_ms"


def _said(record: TrialRecord) -> list[str]:
    """What a trial scored on methods it was not trained on, and its reason."""
    methods = sorted((record.method_auc or {}).items(), key=lambda found: found[1])
    told = ", ".join(f"{method} {auc:.3f}" for method, auc in methods)
    return [f"left out: {told}" if told else "", record.reason]


def find(records: Sequence[TrialRecord], name: str) -> TrialRecord:
    """The trial called ``STAGE/NUMBER``.

    Raises:
        UserError: there is none of that name.
    """
    for record in records:
        if f"{record.stage}/{record.trial}" == name:
            return record
    known = ", ".join(f"{record.stage}/{record.trial}" for record in records[:3])
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
        if value not in (None, ""):
            sheet.add_row(name, escape(str(value)))
    sheet.add_section()
    for name, value in hyperparameters.items():
        sheet.add_row(escape(name), escape(str(value)))
    if history:
        sheet.add_section()
        for line in history.splitlines():
            epoch, *values = line.split(",")
            sheet.add_row(epoch, "  ".join(f"{value[:8]:<8}" for value in values))
    return sheet


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
        return _gan(record)
    if record.stage == STAGE:
        return " + ".join(f"{weight:.2f} {name}" for name, weight in chosen.items())
    if record.stage == "training":
        ground = architectures.get(chosen["architecture"], {})
        return (
            f"{_streams(ground)} (trial {chosen['architecture']}): {chosen['optimizer']} "
            f"{chosen['learning_rate']:.2g}, batch {chosen['batch_size']}, "
            f"{chosen['epochs']} epochs{_samples_and_loss(chosen)}"
        )
    return _streams(chosen)


def _samples_and_loss(chosen: Mapping[str, Any]) -> str:
    """What a training looked at and minimised, where the search chose it and it is not plain."""
    parts = []
    if chosen.get("augmentation", "none") != "none":
        parts.append(f"{chosen['augmentation']} augmentation")
    if chosen.get("pseudo_fakes"):
        parts.append(f"{chosen['pseudo_fakes']:.0%} pseudo-fakes")
    if chosen.get("gan_fakes"):
        parts.append("GAN fakes")
    if chosen.get("loss", "binary_crossentropy") != "binary_crossentropy":
        parts.append(f"{chosen['loss']} loss")
    if chosen.get("mixup"):
        parts.append("mixup")
    if chosen.get("weight_averaging"):
        parts.append("averaged weights")
    return "".join(f", {part}" for part in parts)


def _gan(record: TrialRecord) -> str:
    """A GAN, how sure its KID is, and what its discriminator is worth as a detector."""
    chosen = record.hyperparameters
    said = f"{chosen['kind']}, {chosen['loss']}, latent {chosen['latent']}"
    if record.kid_error is not None:
        said += f"; KID ± {record.kid_error:.3f} of {record.kid_features} features"
    if record.detector_auc is not None:
        said += f"; discriminator alone: val AUC {record.detector_auc:.3f}"
    return said


def _streams(chosen: Mapping[str, Any]) -> str:
    """Active streams of an architecture, with backbone and temporal model."""
    parts = []
    for stream in STREAMS:
        inside = f"detector/{stream}/"
        on = any(name.startswith(inside) for name in chosen)
        # Pictures leave the gan stream nothing to choose.
        if not on and not (stream == GAN and chosen.get(f"detector/{stream}")):
            continue
        if stream == "spatial":
            kind = chosen.get("detector/temporal/kind", "")
            parts.append(f"spatial {chosen.get(inside + 'backbone', '')} {kind}".rstrip())
        else:
            parts.append(stream.replace("_", "-"))
    return " + ".join(parts)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
