"""The history of a trial: the columns of its ``history.csv``, and the curves read from it."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from artifacts.records import VAL_AUC, VAL_LOG_LOSS
from data_prep.files import open_text
from data_prep.text import read_cell

Curve: TypeAlias = "Sequence[tuple[float, float]]"
"""(epoch or report, value) of each row."""

HISTORY = "history.csv"
"""Name of the file in the folder of a trial."""

EPOCH = "epoch"
REPORT = "report"
WITHOUT = "without"
"""Manipulation method left out of the training that a row is about; empty for none."""
LOSS = "loss"
KID = "kid"
DISCRIMINATOR_LOSS = "discriminator_loss"
GENERATOR_LOSS = "generator_loss"

STEPS = (EPOCH, REPORT)
"""Columns that number the rows of a training; a history has one of them."""

# Columns that are read as curves, the most interesting first.
_CURVES = (VAL_AUC, KID, VAL_LOG_LOSS, LOSS, DISCRIMINATOR_LOSS, GENERATOR_LOSS)


@dataclasses.dataclass(frozen=True)
class TrainingHistory:
    """One training of a trial.

    Attributes:
        without: Manipulation method left out of the training; empty for none.
        curves: Curves by column, the most interesting first.
    """

    without: str
    curves: Mapping[str, Curve]


def read_history(path: Path) -> list[TrainingHistory]:
    """Read the trainings of the latest attempt at a trial, in their order.

    With ``leave-one-method-out`` a trial trains once without each method, then with all of them.
    After an out-of-memory error it starts again with smaller batches, in the same file. A line
    that is still being written and values that are not finite are skipped.

    Args:
        path: ``history.csv`` of the trial; a missing or unreadable file has no trainings.
    """
    trainings: list[tuple[str, dict[str, list[tuple[float, float]]]]] = []
    last = -math.inf
    for row in _rows(path):
        step = next((_number(row[name]) for name in STEPS if name in row), None)
        found = {name: _number(row.get(name)) for name in _CURVES}
        values = {name: value for name, value in found.items() if value is not None}
        if step is None or not values:
            continue
        without = read_cell(row.get(WITHOUT) or "")
        if not trainings or without != trainings[-1][0] or step <= last:
            # The same training a second time is the next attempt.
            if any(without == other for other, _ in trainings):
                trainings.clear()
            trainings.append((without, {}))
        last = step
        for name, value in values.items():
            trainings[-1][1].setdefault(name, []).append((step, value))
    return [
        TrainingHistory(without, {name: curves[name] for name in _CURVES if name in curves})
        for without, curves in trainings
    ]


def read_curves(path: Path) -> Mapping[str, Curve]:
    """Read the curves of the training with all methods; empty before it has begun."""
    found = [training.curves for training in read_history(path) if not training.without]
    return found[-1] if found else {}


def step_of(row: Mapping[str, float | str]) -> int | None:
    """Return the epoch or report of a row that is being written; ``None`` without one."""
    return next((int(row[name]) for name in STEPS if name in row), None)


def _rows(path: Path) -> list[dict[str, str | None]]:
    """Read the rows of a history whose line is complete."""
    try:
        lines = [line for line in open_text(path) if line.endswith("\n")]
        return list(csv.DictReader(lines))
    except (OSError, ValueError, csv.Error):
        return []


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
