"""The best trials of an earlier run, which come first in another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from artifacts.records import HYPERPARAMETERS
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, DETECTOR_STAGES, Stage
from data_prep.errors import UserError
from search.config.run_config import RunConfig
from search.config.stages import trials_by_stage
from search.studies.study import (
    rank_trials,
    read_trials,
)

if TYPE_CHECKING:
    from search.studies.hyperparameters import Value


def reused_hyperparameters(config: RunConfig) -> dict[Stage, list[dict[str, Value]]]:
    """Return the hyperparameters that each detector stage reuses, best first.

    At most half of the trials of a stage, so that the search still explores.

    Raises:
        UserError: There is no such run, or none of its trials completed.
    """
    if not config.warm_start:
        return {}
    run = RunDirectory(Path(config.warm_start)).open()
    trials = read_trials(run)
    wanted = trials_by_stage(config)
    found = {
        stage: [
            dict(trial.user_attrs[HYPERPARAMETERS])
            for trial in rank_trials(trials.get(stage.name, []))[: -(-wanted[stage] // 2)]
        ]
        for stage in DETECTOR_STAGES
    }
    if not found[ARCHITECTURE]:
        raise UserError(
            f"no architecture trial of {run.root} completed, so there is nothing to start from; "
            "leave out --warm-start"
        )
    return found


def describe_warm_start(config: RunConfig) -> list[str]:
    """Return a line about the reused trials; no line without an earlier run.

    Raises:
        UserError: See :func:`reused_hyperparameters`.
    """
    said = [
        f"{len(found)} {stage}" for stage, found in reused_hyperparameters(config).items() if found
    ]
    return (
        [f"first, from {config.warm_start}: the best {' and '.join(said)} trials"] if said else []
    )
