"""Pruning where a search has two objectives, which Optuna cannot do by itself.

Beside the study of a stage stands another of one objective, the value that validation gives. A
trial has a twin in it, which gets the reports and says when the trial is to be given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import TrialState

from artifacts.records import REASON
from search.studies.study import (
    INTERRUPTED,
    SEQUENCE_NUMBER,
    sequence_number,
)


class Reports:
    """Where a trial reports its value, and asks whether to go on.

    Args:
        trial: of a study of one objective or of several.
    """

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self._twin: optuna.Trial | None = None
        if len(trial.study.directions) > 1:
            self._twin = _twin(trial)

    def report(self, value: float, step: int) -> None:
        """Tell the value after a step, counted from 1."""
        (self._twin or self._trial).report(value, step)

    def should_prune(self) -> bool:
        """Whether the trial is to be given up."""
        return (self._twin or self._trial).should_prune()

    def end(self, value: float | None, attributes: Mapping[str, Any] | None = None) -> None:
        """Tell the twin, if there is one, how the trial ended: complete with a value, or not."""
        if self._twin is None:
            return
        for name, attribute in (attributes or {}).items():
            self._twin.set_user_attr(name, attribute)
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        self._twin.study.tell(self._twin, value, state=state)


def _twin(trial: optuna.Trial) -> optuna.Trial:
    """The trial beside one, in a study without parameters and with the same pruner."""
    study = trial.study
    beside = optuna.create_study(
        study_name=f"{study.study_name} proxy",
        storage=study._storage,
        direction="maximize",
        load_if_exists=True,
    )
    beside.sampler = optuna.samplers.RandomSampler(seed=0)
    beside.pruner = study.pruner
    draw = sequence_number(study, trial)
    for other in beside.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if other.user_attrs.get(SEQUENCE_NUMBER) == draw:
            # Of the trial that this one repeats.
            beside._storage.set_trial_user_attr(other._trial_id, REASON, INTERRUPTED)
            beside.tell(other.number, state=TrialState.FAIL)
    twin = beside.ask()
    twin.set_user_attr(SEQUENCE_NUMBER, draw)
    return twin
