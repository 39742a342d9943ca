"""What runs inside a worker process: the only door through which TensorFlow comes in."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
from collections.abc import Callable
from typing import Any

import psutil

from artifacts.quiet import import_tensorflow
from artifacts.run_directory import RunDirectory
from artifacts.stages import FINISH, Stage
from data_prep.errors import UserError
from search.config.addresses import visible_devices
from search.config.run_config import RunConfig
from search.stages import MODULES
from search.studies.run_state import check_worker
from search.studies.storage import export_password, translate_server_errors
from search.trials.trial import NoWaitingTrialError, TrialOutcome

# Trials this process has run.
_run = 0


@dataclasses.dataclass(frozen=True)
class Ran:
    """What became of a call for a trial.

    Attributes:
        outcome: ``None`` where no trial waited any more.
        trials: that the process has run by now.
        resident: bytes of memory that it holds.
    """

    outcome: TrialOutcome | None
    trials: int
    resident: int


def enqueue(config: RunConfig, stage: Stage) -> None:
    """Queue what a stage tries first; a stage is the module of its name."""
    _call(stage, "enqueue", config)


def run_trial(config: RunConfig, stage: Stage) -> Ran:
    """Run one trial of a stage, if one waits.

    Raises:
        UserError: this is no worker for the run: other versions, or another store; or what every
            other trial would meet as well.
    """
    check_worker(RunDirectory(config.run_dir), config.store)
    return run_waiting(lambda: _call(stage, "run", config))


def run_waiting(run: Callable[[], TrialOutcome]) -> Ran:
    """Run a trial, if one waits, and say what it has made of this process."""
    global _run
    outcome = None
    with contextlib.suppress(NoWaitingTrialError):
        outcome = run()
        _run += 1
    return Ran(outcome, _run, psutil.Process().memory_info().rss)


def finish(config: RunConfig) -> None:
    """Refit, calibrate, test and export the winner."""
    _call(FINISH, "finish", config)


def _call(stage: Stage, function: str, config: RunConfig) -> Any:
    os.environ.update(visible_devices(config.device))
    export_password(config.storage)
    import_tensorflow()
    _check_device(config.device)
    try:
        with translate_server_errors(RunDirectory(config.run_dir)):
            return getattr(importlib.import_module(MODULES[stage]), function)(config)
    except UserError as error:
        message = str(error)
    # Without its cause, which would bring TensorFlow into the process that it is passed on to.
    raise UserError(message)


def _check_device(name: str) -> None:
    """Refuse to train elsewhere than where one was told to.

    Raises:
        UserError: TensorFlow sees no GPU of that number.
    """
    import tensorflow as tf

    if name.startswith("gpu:") and not tf.config.list_physical_devices("GPU"):
        raise UserError(
            f"device {name}: TensorFlow sees no such GPU; --device any trains on what there is, "
            f'and pip install "tensorflow[and-cuda]=={tf.__version__}" brings what GPUs need'
        )
