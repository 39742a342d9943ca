"""The best trials of an earlier run, to be tried first in another."""

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


def taken(config: RunConfig) -> dict[Stage, list[dict[str, Value]]]:
    """Hyperparameters of what each detector stage takes over, best first; nothing without a run.

    Half of a stage's trials at most, so that a search still looks for itself.

    Raises:
        UserError: there is no such run, or none of its trials completed.
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


def remark(config: RunConfig) -> list[str]:
    """What is taken over, in a line; nothing without an earlier run.

    Raises:
        UserError: as :func:`taken`.
    """
    said = [f"{len(found)} {stage}" for stage, found in taken(config).items() if found]
    return [f"tried first, of {config.warm_start}: {' and '.join(said)} trials"] if said else []
