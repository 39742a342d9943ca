"""Folder of the checkpoints of a trial, from which its retry resumes."""

from __future__ import annotations

from pathlib import Path

import optuna

from artifacts.run_directory import RunDirectory
from search.studies.study import (
    RETRY_OF,
    stage_of,
)

CHECKPOINT = "checkpoint"
"""Name of the folder in the folder of a running trial; removed at its end."""


def checkpoint_folder(run: RunDirectory, trial: optuna.Trial) -> Path:
    """Return the checkpoint folder of a trial, with those of the trial it retries, if any.

    The checkpoints are moved, so that only the later of two trials has them.
    """
    stage = stage_of(trial.study)
    ours = run.trial(stage, trial.number) / CHECKPOINT
    attributes = trial.user_attrs
    while not ours.is_dir() and RETRY_OF in attributes:
        number = attributes[RETRY_OF]
        theirs = run.trial(stage, number) / CHECKPOINT
        if theirs.is_dir():
            theirs.rename(ours)
        attributes = trial.study.get_trials(deepcopy=False)[number].user_attrs
    return ours
