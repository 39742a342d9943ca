"""Rows of a leaderboard as a search leaves them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from artifacts.leaderboard.rows import Row
from artifacts.leaderboard.ties import Standing
from artifacts.records import (
    Description,
    GanFigures,
    ModelCost,
    TrainingEffort,
    TrialRecord,
    ValidationFigures,
)

MakeRow = Callable[..., Row]

PARTS = {
    "validation": ValidationFigures,
    "gan": GanFigures,
    "cost": ModelCost,
    "effort": TrainingEffort,
    "description": Description,
}
RECORD = ("stage", "trial", "state", "reason", "hyperparameters")
COLUMNS = {"val_auc_ci": "interval", "val_eer": "eer", "tied_with_best": "tied"}


def _build_row(**columns: Any) -> Row:
    made: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    row, record, standing = {}, {}, {}
    for column, value in columns.items():
        if column in RECORD:
            record[column] = value
        elif column in COLUMNS:
            standing[COLUMNS[column]] = value
        elif column in ("rank", "run", "on_front"):
            row[column] = value
        elif column == "cost":
            made["cost"]["objective"] = value
        else:
            name = {"detector_auc": "discriminator_auc"}.get(column, column.removeprefix("val_"))
            part = next(
                part
                for part, kind in PARTS.items()
                if name in {field.name for field in dataclasses.fields(kind)}
            )
            made[part][name] = value
    parts = {part: kind(**made[part]) for part, kind in PARTS.items()}
    blank = {"auc": 0.5, "interval": None, "eer": 0.5, "tied": None}
    return Row(
        TrialRecord(**record, **parts),
        standing=Standing(**blank | standing) if standing else None,
        **row,
    )


@pytest.fixture(scope="session")
def architecture() -> dict[str, Any]:
    """What an architecture trial chose."""
    return {
        "detector/spatial": True,
        "detector/spatial/backbone": "small_cnn",
        "detector/temporal/kind": "bilstm",
        "detector/noise_residual": True,
        "detector/noise_residual/filters": 8,
        "detector/micro_expression": False,
    }


@pytest.fixture(scope="session")
def training() -> dict[str, Any]:
    """What a trial chose that trained architecture 4."""
    return {
        "architecture": "4",
        "optimizer": "adamw",
        "learning_rate": 0.0012345,
        "batch_size": 16,
        "samples": 7000,
        "augmentation": "strong",
    }


@pytest.fixture(scope="session")
def build_row() -> MakeRow:
    """A row from the names of leaderboard columns; ``cost`` names the second objective."""
    return _build_row


@pytest.fixture(scope="session")
def make_row(architecture: dict[str, Any]) -> MakeRow:
    """The best architecture trial, or another: ``make_row(stage="gan", kid=0.04)``."""
    best = {
        "rank": 1,
        "stage": "architecture",
        "trial": 4,
        "state": "complete",
        "val_auc": 0.91234,
        "val_log_loss": 0.3,
        "params": 12345,
        "seconds": 6.4,
        "hyperparameters": architecture,
        "what": "spatial small_cnn bilstm + noise-residual",
    }
    return lambda **changes: _build_row(**best | changes)


@pytest.fixture(scope="session")
def rows(make_row: MakeRow, training: dict[str, Any]) -> list[Row]:
    """A row of every stage, and one that failed."""
    unranked = {"rank": None, "val_auc": None}
    return [
        make_row(),
        make_row(rank=2, stage="training", trial=0, val_auc=0.8, hyperparameters=training),
        make_row(
            **unranked,
            stage="gan",
            trial=1,
            val_log_loss=None,
            kid=0.0421,
            hyperparameters={"kind": "dense", "loss": "hinge", "latent": 64},
            what="dense, hinge, latent 64",
        ),
        make_row(
            **unranked,
            trial=5,
            state="failed",
            params=None,
            seconds=None,
            reason='ValueError: shape [none] and "a, b"\n[/x]',
            hyperparameters={},
            what="",
        ),
    ]
