"""Curves of trials while they run: read from their ``history.csv``, drawn in one line of text."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

# What a detector's epoch and a GAN's report are told by, whichever a row has first.
_COUNTED = ("epoch", "report")
_VALUED = ("val_auc", "kid")
_LEVELS = "▁▂▃▄▅▆▇█"


@dataclasses.dataclass(frozen=True)
class Curve:
    """A trial so far.

    Attributes:
        step: number of its last epoch or report; 0 before the first.
        name: of what is drawn: ``val_auc`` or ``kid``; empty before the first.
        values: one for each row.
    """

    step: int = 0
    name: str = ""
    values: tuple[float, ...] = ()


def read_curve(path: Path) -> Curve:
    """The curve in a ``history.csv``; an empty one where there is none yet.

    A line that is being written, and a row without the value, are passed over.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return Curve()
    fields = rows[0] if rows else {}
    counted = next((name for name in _COUNTED if name in fields), "")
    valued = next((name for name in _VALUED if name in fields), "")
    step, values = 0, []
    for row in rows:
        try:
            at, value = int(row[counted]), float(row[valued])
        except (KeyError, TypeError, ValueError):
            continue
        if math.isfinite(value):
            step = at
            values.append(value)
    return Curve(step, valued if values else "", tuple(values))


def sparkline(values: Sequence[float], width: int = 16) -> str:
    """The last values, at most ``width``, as bars between the lowest and the highest of them."""
    shown = values[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    if high == low:
        return _LEVELS[len(_LEVELS) // 2] * len(shown)
    top = len(_LEVELS) - 1
    return "".join(_LEVELS[round(top * (value - low) / (high - low))] for value in shown)
