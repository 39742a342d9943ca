"""The best trials of an earlier run, to be tried first in another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine import hyperparameters as kinds

from artifacts.records import DETECTOR_STAGES, HYPERPARAMETERS
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from search import studies
from search.config import RunConfig
from search.hyperparameters import Value


class KnownAnswers(keras_tuner.HyperParameters):
    """Answers with given values where a space has them among its own, else with its defaults.

    Args:
        values: of another space, by name.
    """

    def __init__(self, values: dict[str, Value]) -> None:
        super().__init__()
        self._given = dict(values)

    def _retrieve(self, hp: kinds.HyperParameter) -> Value | None:
        if hp.name in self._given and _allows(hp, self._given[hp.name]):
            self.values.setdefault(hp.name, self._given[hp.name])
        return super()._retrieve(hp)


def taken(config: RunConfig) -> dict[str, list[dict[str, Value]]]:
    """Hyperparameters of what each detector stage takes over, best first; nothing without a run.

    Half of a stage's trials at most, so that a search still looks for itself.

    Raises:
        UserError: there is no such run, or none of its trials completed.
    """
    if not config.warm_start:
        return {}
    run = RunDirectory(Path(config.warm_start)).open()
    trials = studies.trials(run.journal)
    wanted = {"architecture": config.architecture.trials, "training": config.training.trials}
    found = {
        stage: [
            dict(trial.user_attrs[HYPERPARAMETERS])
            for trial in studies.ranked(trials.get(stage, []))[: -(-wanted[stage] // 2)]
        ]
        for stage in DETECTOR_STAGES
    }
    if not found["architecture"]:
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


def _allows(hp: kinds.HyperParameter, value: Any) -> bool:
    """Whether a value is one that a question may be answered with."""
    if isinstance(hp, kinds.Choice):
        return value in hp.values
    if isinstance(hp, kinds.Boolean):
        return isinstance(value, bool)
    if isinstance(hp, kinds.Int | kinds.Float):
        if isinstance(value, bool | str) or not hp.min_value <= value <= hp.max_value:
            return False
        steps = (value - hp.min_value) / hp.step if hp.step and hp.sampling == "linear" else 0.0
        return abs(steps - round(steps)) < 1e-6
    return False
