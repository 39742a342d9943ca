"""Rows of a leaderboard as a search leaves them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from artifacts.records import TrialRecord

MakeRecord = Callable[..., TrialRecord]


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
        "epochs": 7,
        "augmentation": "strong",
    }


@pytest.fixture(scope="session")
def make_record(architecture: dict[str, Any]) -> MakeRecord:
    """The best architecture trial, or another: ``make_record(stage="gan", kid=0.04)``."""
    best = TrialRecord(
        rank=1,
        stage="architecture",
        trial=4,
        state="complete",
        val_auc=0.91234,
        val_log_loss=0.3,
        kid=None,
        params=12345,
        seconds=6.4,
        reason="",
        hyperparameters=architecture,
    )
    return lambda **changes: dataclasses.replace(best, **changes)


@pytest.fixture(scope="session")
def records(make_record: MakeRecord, training: dict[str, Any]) -> list[TrialRecord]:
    """A row of every stage, and one that failed."""
    unranked = {"rank": None, "val_auc": None}
    return [
        make_record(),
        make_record(rank=2, stage="training", trial=0, val_auc=0.8, hyperparameters=training),
        make_record(
            **unranked,
            stage="gan",
            trial=1,
            val_log_loss=None,
            kid=0.0421,
            hyperparameters={"kind": "dense", "loss": "hinge", "latent": 64},
        ),
        make_record(
            **unranked,
            trial=5,
            state="failed",
            params=None,
            seconds=None,
            reason='ValueError: shape [none] and "a, b"\n[/x]',
            hyperparameters={},
        ),
    ]
