"""Pruning for a search with two objectives, which Optuna does not support.

A second study beside that of the stage has one objective, the validation value. Each trial has a
twin in it, which receives the reports and decides about pruning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import TrialState

from artifacts.optuna_internals import set_trial_attribute, storage_of
from artifacts.records import REASON
from search.studies.study import (
    INTERRUPTED,
    SEQUENCE_NUMBER,
    sequence_number,
)


class Reports:
    """The reports of a trial, and the decision to prune it.

    Args:
        trial: Trial of a study with one objective or two.
    """

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self._twin: optuna.Trial | None = None
        if len(trial.study.directions) > 1:
            self._twin = _twin(trial)

    def report(self, value: float, step: int) -> None:
        """Report the value after a step, counted from 1."""
        (self._twin or self._trial).report(value, step)

    def should_prune(self) -> bool:
        """Return whether the trial is to be pruned."""
        return (self._twin or self._trial).should_prune()

    def end(self, value: float | None, attributes: Mapping[str, Any] | None = None) -> None:
        """End the twin, if there is one: complete with a value, pruned without."""
        if self._twin is None:
            return
        for name, attribute in (attributes or {}).items():
            self._twin.set_user_attr(name, attribute)
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        self._twin.study.tell(self._twin, value, state=state)


def _twin(trial: optuna.Trial) -> optuna.Trial:
    """Return the twin of a trial, in a study without parameters and with the same pruner."""
    study = trial.study
    beside = optuna.create_study(
        study_name=f"{study.study_name} proxy",
        storage=storage_of(study),
        direction="maximize",
        load_if_exists=True,
    )
    beside.sampler = optuna.samplers.RandomSampler(seed=0)
    beside.pruner = study.pruner
    draw = sequence_number(study, trial)
    for other in beside.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if other.user_attrs.get(SEQUENCE_NUMBER) == draw:
            # The twin of the trial that this one repeats.
            set_trial_attribute(beside, other, REASON, INTERRUPTED)
            beside.tell(other.number, state=TrialState.FAIL)
    twin = beside.ask()
    twin.set_user_attr(SEQUENCE_NUMBER, draw)
    return twin
