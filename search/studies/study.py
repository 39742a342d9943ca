"""Optuna studies of a run: one a stage; which of their trials count, and which are best."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterable
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from artifacts.records import REASON, VAL_LOG_LOSS
from artifacts.run_directory import RunDirectory
from artifacts.stages import SEARCH_STAGES, STAGE_OF, Direction, Stage
from search.config.names import PARETO
from search.studies.storage import Place, told

INTERRUPTED = "interrupted; retried"
RETRY_OF = "retry_of"
DRAW = "draw"

optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_study(journal: Path, stage: Stage) -> optuna.Study:
    """Open or make the study of a stage, for asking questions about it.

    Args:
        journal: of the run; the studies are on a server where its configuration names one.
        stage: of the run.

    Raises:
        UserError: the journal is damaged, or the server cannot be used.
    """
    return at(Place.of(journal), stage)


def at(place: Place, stage: Stage) -> optuna.Study:
    """Open or make the study of a stage at a place.

    Raises:
        UserError: the journal is damaged, or the server cannot be used.
    """
    opened = place.open()
    name = place.study_name(stage)
    with told(place):
        # Making one that is there would write to the journal, also where one only looks.
        with contextlib.suppress(KeyError):
            return optuna.load_study(study_name=name, storage=opened)
        return optuna.create_study(
            study_name=name,
            storage=opened,
            directions=directions(place, stage),
            load_if_exists=True,
        )


def directions(place: Place, stage: Stage) -> list[Direction]:
    """Which way the values of a stage are better: one, or two where the objective is two."""
    ours = [stage.direction]
    if stage.builds_detectors and objective_named_in(place.journal) in PARETO:
        return [*ours, "minimize"]
    return ours


def objective_named_in(journal: Path) -> str:
    """The objective that ``config.toml`` beside a journal names; empty where it names none."""
    try:
        text = RunDirectory(journal.parent).config.read_text(encoding="utf-8")
        return str(tomllib.loads(text).get("objective", ""))
    except (OSError, ValueError):
        return ""


def forget(place: Place) -> None:
    """Remove what is queued of a run that has not begun."""
    if not place.server:
        place.journal.unlink(missing_ok=True)
        return
    for stage in begun(place):
        optuna.delete_study(study_name=place.study_name(stage), storage=place.open())


def stage_of(study: optuna.Study) -> Stage:
    """Return the stage of a study."""
    return STAGE_OF[name_in_run(study)]


def name_in_run(study: optuna.Study) -> str:
    """Return the name of a study without that of its run, which precedes it on a server."""
    return study.study_name.rpartition("/")[2]


def begun(place: Place) -> list[Stage]:
    """The stages of a run that have a study at a place; also while the run is going on.

    Raises:
        UserError: the journal is damaged, or the server cannot be used.
    """
    return list(_ids(place))


def trials(journal: Path) -> dict[str, list[FrozenTrial]]:
    """Return all trials of a run by the name of their stage; the run may be in progress.

    Nothing is written, so that read access to the run is enough.
    """
    place = Place.of(journal)
    found = _ids(place)
    opened = place.open() if found else None
    with told(place):
        return {
            stage.name: opened.get_all_trials(number, deepcopy=False)
            for stage, number in found.items()
            if opened is not None
        }


def _ids(place: Place) -> dict[Stage, int]:
    """The studies of a run by stage, as the storage numbers them."""
    if not place.server and not place.journal.exists():
        return {}
    opened = place.open()
    with told(place):
        ids = {study.study_name: study._study_id for study in opened.get_all_studies()}
    names = {stage: place.study_name(stage) for stage in SEARCH_STAGES}
    return {stage: ids[name] for stage, name in names.items() if name in ids}


def draw(study: optuna.Study, trial: FrozenTrial | optuna.Trial) -> int:
    """The number a trial would have in a run that was never interrupted; it seeds the trial.

    A retry has the draw of the trial it repeats; others are counted without retries.
    """
    if DRAW in trial.user_attrs:
        return int(trial.user_attrs[DRAW])
    # Of the storage: a pruner may show a sampler a part of the study.
    earlier = study._storage.get_all_trials(study._study_id, deepcopy=False)[: trial.number]
    return trial.number - sum(RETRY_OF in other.user_attrs for other in earlier)


def ranking(trial: FrozenTrial) -> tuple[float, float]:
    """Sort key of complete detector trials: highest first value, then lowest log-loss."""
    assert trial.values
    return (-trial.values[0], trial.user_attrs.get(VAL_LOG_LOSS, float("inf")))


def best(study: optuna.Study, count: int | None = None) -> list[FrozenTrial]:
    """The best complete trials, best first, ties by number; all of them without a count."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if study.directions == [optuna.study.StudyDirection.MINIMIZE]:
        return sorted(complete, key=lambda trial: (trial.value or 0.0, trial.number))[:count]
    return ranked(complete)[:count]


def ranked(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The complete ones of a detector stage, best first, ties by number."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return sorted(complete, key=lambda trial: (*ranking(trial), trial.number))


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that count towards the asked number: all that ended but those interrupted."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and not is_interrupted(trial)
    ]


def is_interrupted(trial: FrozenTrial) -> bool:
    """Whether a trial ended through no fault of its own, and is repeated."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get(REASON) == INTERRUPTED


def has_begun(study: optuna.Study) -> bool:
    """Whether any trial was ever started."""
    return any(trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False))
