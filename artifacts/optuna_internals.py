"""Every private part of Optuna that the project uses.

Workers claim, fail and mark trials of other processes. Optuna's public API reaches trials of this
process only, so the storage is called with its own numbers of studies and trials. All private names
are used here only: if an upgrade moves one, it is repaired in one place.
``tests/artifacts/test_optuna_internals.py`` uses them all.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Any

import optuna
from optuna.pruners import HyperbandPruner
from optuna.storages import BaseStorage
from optuna.storages.journal._file import get_lock_file as get_lock_file
from optuna.study._frozen import FrozenStudy as FrozenStudy
from optuna.trial import FrozenTrial, TrialState


def storage_of(study: optuna.Study) -> BaseStorage:
    """Return the storage of a study, with the cache of this process."""
    return study._storage


def study_id(study: optuna.Study | FrozenStudy) -> int:
    """Return the number of a study in its storage."""
    return study._study_id


def trial_id(trial: optuna.Trial | FrozenTrial) -> int:
    """Return the number of a trial in its storage, which differs from its number in the study."""
    return trial._trial_id


def stored_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return all trials of a study from the storage, even if a pruner hides some of them."""
    return storage_of(study).get_all_trials(study_id(study), deepcopy=False)


def set_study_attribute(study: optuna.Study, key: str, value: object) -> None:
    """Set a user attribute of a study, or of the part of it that a pruner shows a sampler."""
    storage_of(study).set_study_user_attr(study_id(study), key, value)


def set_trial_state(study: optuna.Study, trial: FrozenTrial, state: TrialState) -> bool:
    """Set the state of a trial of any process, without a call of the sampler.

    Returns:
        Whether this process has set it; for ``RUNNING``, False if another was first.

    Raises:
        optuna.exceptions.UpdateFinishedTrialError: The trial has ended.
    """
    return storage_of(study).set_trial_state_values(trial_id(trial), state)


def set_trial_attribute(study: optuna.Study, trial: FrozenTrial, key: str, value: object) -> None:
    """Set a user attribute of a trial of any process.

    Raises:
        optuna.exceptions.UpdateFinishedTrialError: The trial has ended.
    """
    storage_of(study).set_trial_user_attr(trial_id(trial), key, value)


def running_trial(study: optuna.Study, trial: FrozenTrial) -> optuna.Trial:
    """Return the trial object of a claimed trial; the study's sampler starts it as by ``ask``."""
    return optuna.Trial(study, trial_id(trial))


class KeyedHyperband(HyperbandPruner):
    """Hyperband that chooses the bracket of a trial by a key.

    Optuna chooses it by the number of the trial.

    Args:
        key: Function that returns the key of a trial; ``None`` for a trial in no bracket.
        **options: Options of Optuna's pruner.
    """

    def __init__(
        self, key: Callable[[optuna.Study, FrozenTrial], str | None], **options: Any
    ) -> None:
        super().__init__(**options)
        self._key = key

    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        key = self._key(study, trial)
        if key is None:
            return -1
        if not self._pruners:
            return 0
        left = binascii.crc32(key.encode()) % self._total_trial_allocation_budget
        for bracket, budget in enumerate(self._trial_allocation_budgets):
            left -= budget
            if left < 0:
                return bracket
        raise AssertionError("the budgets sum to the total")
