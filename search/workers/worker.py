"""The calls inside a worker process, the only ones that import TensorFlow."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
from collections.abc import Callable
from typing import Any

import psutil

from artifacts.quiet import import_tensorflow, silence_keras
from artifacts.run_directory import RunDirectory
from artifacts.stages import FINISH, Stage
from data_prep.errors import UserError
from search.config.addresses import visible_devices
from search.config.run_config import RunConfig
from search.stages import MODULES
from search.studies.run_state import check_worker
from search.studies.server import lend_password, permit_server
from search.studies.storage import translate_server_errors
from search.trials.trial import NoWaitingTrialError, TrialOutcome

# Number of trials that this process has run.
_run = 0


@dataclasses.dataclass(frozen=True)
class Ran:
    """The result of a call for a trial.

    Attributes:
        outcome: Outcome of the trial; ``None`` if no trial was waiting.
        trials: Number of trials that the process has run.
        resident: Memory of the process in bytes.
    """

    outcome: TrialOutcome | None
    trials: int
    resident: int


def enqueue(config: RunConfig, stage: Stage) -> None:
    """Queue the first trials of a stage."""
    _call(stage, "enqueue", config)


def run_trial(config: RunConfig, stage: Stage) -> Ran:
    """Run one trial of a stage, if one waits.

    Raises:
        UserError: Versions or the store differ from those of the run, or every trial would fail in
            the same way.
    """
    check_worker(RunDirectory(config.run_dir), config.store)
    return run_waiting(lambda: _call(stage, "run", config))


def run_waiting(run: Callable[[], TrialOutcome]) -> Ran:
    """Run a trial, if one waits, and report the state of this process."""
    global _run
    outcome = None
    with contextlib.suppress(NoWaitingTrialError):
        outcome = run()
        _run += 1
    return Ran(outcome, _run, psutil.Process().memory_info().rss)


def finish(config: RunConfig) -> list[str]:
    """Refit, calibrate, test and export the winner; return remarks."""
    remarks: list[str] = _call(FINISH, "finish", config)
    return remarks


def _call(stage: Stage, function: str, config: RunConfig) -> Any:
    os.environ.update(visible_devices(config.device))
    permit_server(config.storage)
    lend_password(config.storage)
    import_tensorflow()
    silence_keras()
    _check_device(config.device)
    try:
        with translate_server_errors(RunDirectory(config.run_dir)):
            return getattr(importlib.import_module(MODULES[stage]), function)(config)
    except UserError as error:
        message = error.command_line
    # Without its cause, which would import TensorFlow into the receiving process.
    raise UserError(message)


def _check_device(name: str) -> None:
    """Check that the configured device exists.

    Raises:
        UserError: TensorFlow sees no GPU of that number.
    """
    import tensorflow as tf

    if name.startswith("gpu:") and not tf.config.list_physical_devices("GPU"):
        raise UserError(
            f"device {name}: TensorFlow sees no such GPU; --device any trains on any device, "
            f'and pip install "tensorflow[and-cuda]=={tf.__version__}" adds GPU support'
        )
