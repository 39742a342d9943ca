"""Read-only view of the studies of one run as a storage.

The dashboard lets its users rename and delete studies, add trials and write notes. All of that
would change the storage that a run resumes from. It therefore receives a view. Reads pass through
to the storage of the run, also while the run works. Artifacts and notes are added to the answers.
Writes are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, NoReturn

from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from artifacts.optuna_internals import FrozenStudy, study_id
from data_prep.errors import DfsearchError

_DASHBOARD = "dashboard:"

Added = Callable[[str, list[FrozenTrial]], Mapping[str, Any]]
"""System attributes to add to the study of a stage with these trials."""


class ReadOnlyError(DfsearchError, RuntimeError):
    """A refused change of the run."""


def _refused(*_: object, **__: object) -> NoReturn:
    raise ReadOnlyError("the dashboard of a run shows it and changes nothing")


class View(BaseStorage):
    """Read-only view of some studies of a storage, under the names of their stages.

    Args:
        storage: storage of the studies.
        stages: the name that each study to show goes by, by its name in the storage, in the order
            to show them.
        added: attributes beside those that are stored.
    """

    def __init__(self, storage: BaseStorage, stages: Mapping[str, str], added: Added) -> None:
        self._storage = storage
        self._stages = stages
        self._added = added

    def get_all_studies(self) -> list[FrozenStudy]:
        studies = {study.study_name: study for study in self._storage.get_all_studies()}
        return [
            FrozenStudy(
                study_name=stage,
                direction=None,
                directions=studies[name].directions,
                user_attrs=studies[name].user_attrs,
                system_attrs=self.get_study_system_attrs(study_id(studies[name])),
                study_id=study_id(studies[name]),
            )
            for name, stage in self._stages.items()
            if name in studies
        ]

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        stored = self._storage.get_study_system_attrs(study_id)
        stage = self.get_study_name_from_id(study_id)
        trials = self._storage.get_all_trials(study_id, deepcopy=False)
        # A journal from another person may hold notes and plots of its own.
        ours = {key: value for key, value in stored.items() if not key.startswith(_DASHBOARD)}
        return {**ours, **self._added(stage, trials)}

    def get_study_id_from_name(self, study_name: str) -> int:
        for name, stage in self._stages.items():
            if stage == study_name:
                return self._storage.get_study_id_from_name(name)
        raise KeyError(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._stages[self._storage.get_study_name_from_id(study_id)]

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._storage.get_study_directions(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self._storage.get_study_user_attrs(study_id)

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(study_id, trial_number)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._storage.get_trial(trial_id)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        return self._storage.get_all_trials(study_id, deepcopy, states)

    def remove_session(self) -> None:
        self._storage.remove_session()

    create_new_study: Callable[..., Any] = _refused
    delete_study: Callable[..., Any] = _refused
    set_study_user_attr: Callable[..., Any] = _refused
    set_study_system_attr: Callable[..., Any] = _refused
    create_new_trial: Callable[..., Any] = _refused
    set_trial_param: Callable[..., Any] = _refused
    set_trial_state_values: Callable[..., Any] = _refused
    set_trial_intermediate_value: Callable[..., Any] = _refused
    set_trial_user_attr: Callable[..., Any] = _refused
    set_trial_system_attr: Callable[..., Any] = _refused
