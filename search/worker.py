"""What runs inside a worker process: the only door through which TensorFlow comes in."""

from __future__ import annotations

import importlib

from artifacts.quiet import import_tensorflow
from search.config import RunConfig
from search.trial import TrialOutcome


def enqueue(config: RunConfig, stage: str) -> None:
    """Queue what a stage tries first; a stage is the module of its name."""
    import_tensorflow()
    importlib.import_module(f"search.{stage}").enqueue(config)


def run_trial(config: RunConfig, stage: str) -> TrialOutcome:
    """Run one trial of a stage."""
    import_tensorflow()
    outcome: TrialOutcome = importlib.import_module(f"search.{stage}").run(config)
    return outcome


def finish(config: RunConfig) -> None:
    """Refit, calibrate, test and export the winner."""
    import_tensorflow()
    importlib.import_module("search.finish").finish(config)
