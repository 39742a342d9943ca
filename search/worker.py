"""What runs inside a worker process: the only door through which TensorFlow comes in."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from artifacts.quiet import import_tensorflow
from search.config import RunConfig
from search.trial import TrialOutcome

P = ParamSpec("P")
R = TypeVar("R")

_PARENT_POLL_SECONDS = 0.5
_set_up = False


def in_worker(function: Callable[P, R]) -> Callable[P, R]:
    """Set the process up once, before TensorFlow is imported, then call the function."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        global _set_up
        if not _set_up:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            threading.Thread(target=_die_with, args=(os.getppid(),), daemon=True).start()
            import_tensorflow()
            _set_up = True
        return function(*args, **kwargs)

    return wrapped


def _die_with(parent: int) -> None:
    """End this process when the one that started it is gone: nobody is left to hear it."""
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_SECONDS)
    os._exit(1)


@in_worker
def prepare_stage(config: RunConfig, stage: str) -> None:
    """Queue what a stage tries first."""
    if stage == "architecture":
        from search.architecture import enqueue_starting_points

        enqueue_starting_points(config)
    elif stage == "gan":
        from search import gan

        gan.enqueue_recipe(config)
    else:
        from search import training

        training.enqueue_recipe(config)


@in_worker
def run_stage_trial(config: RunConfig, stage: str, slot: int) -> TrialOutcome:
    """Run one trial of a stage."""
    if stage == "architecture":
        from search.architecture import run_architecture_trial

        return run_architecture_trial(config, slot)
    if stage == "gan":
        from search.gan import run_gan_trial

        return run_gan_trial(config, slot)
    from search.training import run_training_trial

    return run_training_trial(config, slot)


@in_worker
def finish_run(config: RunConfig) -> None:
    """Refit, calibrate, test and export the winner."""
    from search.finish import finish

    finish(config)
