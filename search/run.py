"""A run: check, search stage by stage, finish; started again, it goes on where it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

import optuna
from optuna.trial import TrialState

from artifacts.run_directory import RunDirectory, read_json, write_json, write_text
from data_prep.errors import UserError
from data_prep.store import Store
from search import config as configuration
from search import studies
from search.config import RunConfig
from search.fan_out import WorkerDiedError, fan_out, replace_workers
from search.trial import TrialOutcome
from search.worker import finish_run, prepare_stage, run_stage_trial

TRIALS_A_WORKER = 25
MAX_IDLE_DEATHS = 3


class Progress(Protocol):
    """Where a run tells how it goes."""

    def stage(self, name: str, done: int, total: int) -> None:
        """A stage begins, or goes on, with ``done`` of ``total`` trials finished."""

    def trial(self, outcome: TrialOutcome) -> None:
        """A trial ended."""

    def message(self, text: str) -> None:
        """Something worth a line."""


@dataclasses.dataclass(frozen=True)
class _Stage:
    name: str
    trials: int


def run(config: RunConfig, progress: Progress) -> RunDirectory:
    """Search, train, test and export; resumes what the run directory already holds.

    Args:
        config: the resolved configuration.
        progress: is told of stages and trials.

    Returns:
        The run directory with every artifact.

    Raises:
        UserError: the store cannot be searched on, the directory belongs to another store or
            configuration, another process runs in it, or no trial finished.
        KeyboardInterrupt: passed on after the workers are ended; started again, the run goes on.
    """
    _check_store(config)
    directory = RunDirectory(config.run_dir)
    try:
        directory.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory.root} cannot be made: {error.strerror}") from None
    with directory.locked():
        _claim(directory, config)
        if directory.certificate.is_file():
            progress.message(f"{directory.root} is finished; nothing to do")
            return directory
        studies.recover(directory.journal)
        try:
            for stage in _stages(config):
                _run_stage(stage, config, directory, progress)
            progress.message("refitting, calibrating and testing the winner")
            _call(lambda: list(fan_out([(finish_run, (config,))], 1)))
        except KeyboardInterrupt:
            replace_workers(config.workers, kill=True)
            raise
    return directory


def _stages(config: RunConfig) -> list[_Stage]:
    return [
        _Stage("architecture", config.architecture.trials),
        _Stage("gan", config.gan.trials),
        _Stage("training", config.training.trials),
    ]


def _check_store(config: RunConfig) -> None:
    """A search needs both labels in training and validation."""
    with Store(config.store) as store:
        for split in ("train", "val"):
            for label, name in enumerate(("real", "fake")):
                if len(store.rows(split, label)) == 0:
                    raise UserError(
                        f"{config.store} has no {name} clip in the {split} split; "
                        "prepare it from more videos"
                    )


def _claim(directory: RunDirectory, config: RunConfig) -> None:
    """Make a new run directory ours, or check that an old one is of this store and settings."""
    with Store(config.store) as store:
        fingerprint = store.fingerprint
    if directory.state.is_file():
        theirs = read_json(directory.state)["store_fingerprint"]
        if theirs != fingerprint:
            raise UserError(
                f"{directory.root} is a run of another store (fingerprint {theirs[:12]}, "
                f"{config.store} has {fingerprint[:12]}); use another run directory"
            )
        differences = configuration.differences(configuration.load(directory.config), config)
        if differences and not _has_begun(directory):
            write_text(directory.config, configuration.dump(config))
        elif differences:
            raise UserError(
                f"{directory.root} was started with other settings ({'; '.join(differences)}); "
                "use another run directory or the same settings"
            )
        return
    foreign = sorted(
        p.name for p in directory.root.iterdir() if p.name not in (".lock", "config.toml")
    )
    if foreign:
        raise UserError(
            f"{directory.root} is not empty and not a run (it holds {foreign[0]}); "
            "use another run directory"
        )
    write_text(directory.config, configuration.dump(config))
    write_json(directory.state, {"store_fingerprint": fingerprint})


def _has_begun(directory: RunDirectory) -> bool:
    """Whether a trial was ever started, so that its settings count."""
    studies.recover(directory.journal)
    return any(
        trial.state != TrialState.WAITING
        for trials in studies.trials(directory.journal).values()
        for trial in trials
    )


def _run_stage(
    stage: _Stage, config: RunConfig, directory: RunDirectory, progress: Progress
) -> None:
    """Run the trials a stage still lacks; a dead worker costs its trial, not the stage."""
    if stage.trials == 0:
        return
    study = studies.open_study(directory.journal, stage.name)
    studies.reap_interrupted(study)
    done = len(studies.finished(study))
    progress.stage(stage.name, done, stage.trials)
    if done >= stage.trials:
        return
    _call(lambda: list(fan_out([(prepare_stage, (config, stage.name))], config.workers)))
    idle_deaths = 0
    while done < stage.trials:
        batch = range(done, min(stage.trials, done + TRIALS_A_WORKER * config.workers))
        tasks = ((run_stage_trial, (config, stage.name, slot)) for slot in batch)
        try:
            for outcome in fan_out(tasks, config.workers):
                progress.trial(outcome)
        except WorkerDiedError as death:
            studies.reap_dead(study, f"the worker died: {death}")
            progress.message(f"a worker died ({death}); its trial counts as failed")
        if batch[-1] + 1 < stage.trials:
            replace_workers(config.workers)
        before, done = done, len(studies.finished(study))
        idle_deaths = 0 if done > before else idle_deaths + 1
        if idle_deaths == MAX_IDLE_DEATHS:
            raise UserError(
                f"workers of the {stage.name} stage die before they begin a trial; "
                "is there enough memory?"
            )
    progress.stage(stage.name, done, stage.trials)
    _check_any_complete(study, directory)


def _check_any_complete(study: optuna.Study, directory: RunDirectory) -> None:
    """Without one architecture there is nothing to go on with."""
    if study.study_name != "architecture":
        return
    if not studies.best(study, 1, lambda trial: trial.number):
        reasons = {trial.user_attrs.get("reason", "") for trial in studies.finished(study)}
        raise UserError(
            f"no architecture trial of {directory.root} completed: {'; '.join(sorted(reasons))}"
        )


def _call(work: Callable[[], object]) -> None:
    """Run a single task whose worker's death ends the run."""
    try:
        work()
    except WorkerDiedError as death:
        raise UserError(f"the worker died ({death}); is there enough memory? Run again") from None
