"""Where a trial keeps what it has trained, so that the one that repeats it goes on from there."""

from __future__ import annotations

from pathlib import Path

import optuna

from artifacts.run_directory import RunDirectory
from search.studies import study as studies

CHECKPOINT = "checkpoint"
"""Folder of a trial that runs; gone when it has ended."""


def checkpoint_folder(run: RunDirectory, trial: optuna.Trial) -> Path:
    """The folder for checkpoints of a trial, with those of the trial it repeats, if there are any.

    They are moved, so that of two trials that repeat each other only the later has them.
    """
    stage = studies.stage_of(trial.study)
    ours = run.trial(stage, trial.number) / CHECKPOINT
    attributes = trial.user_attrs
    while not ours.is_dir() and studies.RETRY_OF in attributes:
        number = attributes[studies.RETRY_OF]
        theirs = run.trial(stage, number) / CHECKPOINT
        if theirs.is_dir():
            theirs.rename(ours)
        attributes = trial.study.get_trials(deepcopy=False)[number].user_attrs
    return ours
