"""What runs inside a worker process: the only door through which TensorFlow comes in."""

from __future__ import annotations

import importlib
from typing import Any

from artifacts.quiet import import_tensorflow
from data_prep.errors import UserError
from search.config import RunConfig
from search.trial import TrialOutcome


def enqueue(config: RunConfig, stage: str) -> None:
    """Queue what a stage tries first; a stage is the module of its name."""
    _call(stage, "enqueue", config)


def run_trial(config: RunConfig, stage: str) -> TrialOutcome:
    """Run one trial of a stage."""
    outcome: TrialOutcome = _call(stage, "run", config)
    return outcome


def finish(config: RunConfig) -> None:
    """Refit, calibrate, test and export the winner."""
    _call("finish", "finish", config)


def _call(module: str, function: str, config: RunConfig) -> Any:
    import_tensorflow()
    try:
        return getattr(importlib.import_module(f"search.{module}"), function)(config)
    except UserError as error:
        message = str(error)
    # Without its cause, which would bring TensorFlow into the process that it is passed on to.
    raise UserError(message)
