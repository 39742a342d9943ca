"""Learning curves of a trial, read from its ``history.csv``."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

Curve: TypeAlias = "Sequence[tuple[float, float]]"

# What is read where a history has it, in the order of interest.
_VALUED = ("val_auc", "kid", "val_log_loss", "loss", "discriminator_loss", "generator_loss")
_COUNTED = ("epoch", "report")


def read_curves(path: Path) -> dict[str, Curve]:
    """What a history tells, by name: (epoch or report, value) of each row that has a finite one.

    Of a trial that was also trained without each method in turn, the training with all; of one that
    began anew, for want of memory, the last. A line that is being written, and a file that is none,
    are passed over.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if not row.get("without")]
    except (OSError, ValueError, csv.Error):
        return {}
    curves: dict[str, list[tuple[float, float]]] = {}
    last = -math.inf
    for row in rows:
        at = next((_number(row[name]) for name in _COUNTED if name in row), None)
        found = {name: _number(row.get(name)) for name in _VALUED}
        values = {name: value for name, value in found.items() if value is not None}
        if at is None or not values:
            continue
        if at <= last:
            curves = {}
        last = at
        for name, value in values.items():
            curves.setdefault(name, []).append((at, value))
    return {name: curves[name] for name in _VALUED if name in curves}


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
