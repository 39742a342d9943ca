"""Optuna studies of a run, one a stage, and the order of their trials."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import optuna
from optuna.trial import FrozenTrial, TrialState

from artifacts.optuna_internals import stored_trials, study_id
from artifacts.records import REASON, VAL_LOG_LOSS, faulty_attribute
from artifacts.run_directory import RunDirectory
from artifacts.stages import SEARCH_STAGES, STAGE_OF, Direction, Stage
from data_prep.errors import UserError
from search.config.names import PARETO
from search.studies.storage import StorageLocation, translate_storage_errors

INTERRUPTED = "interrupted; retried"
RETRY_OF = "retry_of"
SEQUENCE_NUMBER = "draw"

optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_study(run: RunDirectory, stage: Stage) -> optuna.Study:
    """Open or create the study of a stage at the storage location that the run is configured for.

    Raises:
        UserError: The journal is damaged, or the server cannot be used.
    """
    return open_study_at(StorageLocation.read(run), stage)


def open_study_at(location: StorageLocation, stage: Stage) -> optuna.Study:
    """Open or create the study of a stage.

    Raises:
        UserError: The journal is damaged, or the server cannot be used.
    """
    opened = location.open()
    name = location.study_name(stage)
    with translate_storage_errors(location):
        # Creating a study that exists would write to the journal, also for a reader.
        with contextlib.suppress(KeyError):
            return optuna.load_study(study_name=name, storage=opened)
        return optuna.create_study(
            study_name=name,
            storage=opened,
            directions=_directions(location.run, stage),
            load_if_exists=True,
        )


def _directions(run: RunDirectory, stage: Stage) -> list[Direction]:
    """Return the direction of each value of a trial: one, or two if the objective has two."""
    ours = [stage.direction]
    if stage.builds_detectors and run.setting("objective") in PARETO:
        return [*ours, "minimize"]
    return ours


def delete_studies(location: StorageLocation) -> None:
    """Delete the studies of a run without any started trial."""
    if not location.server:
        location.run.journal.unlink(missing_ok=True)
        return
    for stage in stages_with_study(location):
        optuna.delete_study(study_name=location.study_name(stage), storage=location.open())


def stage_of(study: optuna.Study) -> Stage:
    """Return the stage of a study."""
    return STAGE_OF[name_in_run(study)]


def name_in_run(study: optuna.Study) -> str:
    """Return the name of a study without that of its run, which precedes it on a server."""
    return study.study_name.rpartition("/")[2]


def stages_with_study(location: StorageLocation) -> list[Stage]:
    """Return the stages of a run that have a study; the run may be in progress.

    Raises:
        UserError: The journal is damaged, or the server cannot be used.
    """
    return list(_ids(location))


def read_trials(run: RunDirectory) -> dict[str, list[FrozenTrial]]:
    """Return all trials of a run by the name of their stage; the run may be in progress.

    Nothing is written, so that read access to the run is enough.
    """
    location = StorageLocation.read(run)
    found = _ids(location)
    opened = location.open() if found else None
    with translate_storage_errors(location):
        trials = {
            stage.name: opened.get_all_trials(number, deepcopy=False)
            for stage, number in found.items()
            if opened is not None
        }
    for stage_name, group in trials.items():
        for trial in group:
            if name := faulty_attribute(trial):
                raise UserError(
                    f"{location.address} is damaged: {stage_name} trial {trial.number} has an "
                    f"unusable {name}; restore it from a copy or start a new run"
                )
    return trials


def _ids(location: StorageLocation) -> dict[Stage, int]:
    """Return the number of each study in the storage."""
    if not location.server and not location.run.journal.exists():
        return {}
    opened = location.open()
    with translate_storage_errors(location):
        ids = {study.study_name: study_id(study) for study in opened.get_all_studies()}
    names = {stage: location.study_name(stage) for stage in SEARCH_STAGES}
    return {stage: ids[name] for stage, name in names.items() if name in ids}


def sequence_number(study: optuna.Study, trial: FrozenTrial | optuna.Trial) -> int:
    """Return the number that a trial would have in a run without interruptions; it is its seed.

    A retry has the number of the trial it repeats. Other trials are counted without retries.
    """
    if SEQUENCE_NUMBER in trial.user_attrs:
        return int(trial.user_attrs[SEQUENCE_NUMBER])
    # From the storage: a pruner may show a sampler a part of the study.
    earlier = stored_trials(study)[: trial.number]
    return trial.number - sum(RETRY_OF in other.user_attrs for other in earlier)


def rank_key(trial: FrozenTrial) -> tuple[float, float]:
    """Return the sort key of a complete detector trial: highest score, then lowest log-loss."""
    assert trial.values
    return (-trial.values[0], trial.user_attrs.get(VAL_LOG_LOSS, float("inf")))


def best_trials(study: optuna.Study, count: int | None = None) -> list[FrozenTrial]:
    """Return the best complete trials, best first, ties by number; all without a count."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if study.directions == [optuna.study.StudyDirection.MINIMIZE]:
        return sorted(complete, key=lambda trial: (trial.value or 0.0, trial.number))[:count]
    return rank_trials(complete)[:count]


def rank_trials(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Return the complete trials of a detector stage, best first, ties by number."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return sorted(complete, key=lambda trial: (*rank_key(trial), trial.number))


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that count for a stage: all that ended, without interrupted ones."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and not is_interrupted(trial)
    ]


def is_interrupted(trial: FrozenTrial) -> bool:
    """Return whether a trial was interrupted from outside, and so is repeated."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get(REASON) == INTERRUPTED


def has_started(study: optuna.Study) -> bool:
    """Return whether any trial has started."""
    return any(trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False))
