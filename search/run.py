"""A run: check, search stage by stage, finish; started again, it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from artifacts.certificate import Certificate
from artifacts.run_directory import RunDirectory, write_text
from data_prep.errors import UserError
from data_prep.store import Store
from data_prep.text import printable
from search import config as configuration
from search import studies, worker
from search.config import RunConfig
from search.fan_out import WorkerDiedError, fan_out, replace_workers
from search.possible import obstacle_to
from search.remarks import remarks
from search.stages import left_without, stages
from search.trial import TrialOutcome

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
    for path in (config.store, config.run_dir):
        if printable(str(path)) != str(path):
            raise UserError(f"{printable(str(path))}: the path must be text; rename it or link it")
    fingerprint, said = _check_store(config)
    directory = RunDirectory(config.run_dir)
    try:
        directory.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory.root} cannot be made: {error.strerror}") from None
    with directory.locked():
        directory.sweep()
        studies.recover(directory.journal)
        _claim(directory, config, fingerprint)
        if directory.certificate.is_file() and Certificate.read(directory).is_intact(directory):
            progress.message(f"{directory.root} is finished; nothing to do")
            return directory
        try:
            for line in said:
                progress.message(line)
            _Search(config, directory, progress).run()
        finally:
            # Whatever ended the run, a trial must not go on without it.
            replace_workers(kill=True)
    return directory


def _check_store(config: RunConfig) -> tuple[str, list[str]]:
    """The fingerprint of a store that can be searched on, and what is worth saying of it.

    Raises:
        UserError: a label lacks clips in training or validation, or no stream can be built.
    """
    path = config.store
    with Store(path) as store:
        for split in ("train", "val"):
            for label, name in enumerate(("real", "fake")):
                if len(store.rows(split, label)) == 0:
                    raise UserError(
                        f"{path} has no {name} clip in the {split} split; "
                        "prepare it from more videos"
                    )
        obstacles = [
            f"without the {stream.replace('_', '-')} stream: {reason}"
            for stream in config.space.streams
            if (reason := obstacle_to(stream, config, store))
        ]
        if len(obstacles) == len(config.space.streams):
            raise UserError(f"{path}: no stream is left to search ({'; '.join(obstacles)})")
        return store.fingerprint, obstacles + remarks(config, store)


def _claim(directory: RunDirectory, config: RunConfig, fingerprint: str) -> None:
    """Make a new run directory ours, or check that an old one is of this store and settings."""
    if not directory.state.is_file():
        foreign = sorted(
            path.name
            for path in directory.root.iterdir()
            if path.name not in (".lock", directory.config.name)
        )
        if foreign:
            raise UserError(
                f"{directory.root} is not empty and not a run (it holds {foreign[0]}); "
                "use another run directory"
            )
        _write_config(directory, config)
        directory.write_fingerprint(fingerprint)
        return
    theirs = directory.read_fingerprint()
    if theirs != fingerprint:
        raise UserError(
            f"{directory.root} is a run of another store (fingerprint {theirs[:12]}, "
            f"{config.store} has {fingerprint[:12]}); use another run directory"
        )
    differences = configuration.differences(configuration.load(directory.config), config)
    if differences and any(
        studies.has_begun(studies.open_study(directory.journal, stage))
        for stage in studies.trials(directory.journal)
    ):
        raise UserError(
            f"{directory.root} was started with other settings ({'; '.join(differences)}); "
            "use another run directory or the same settings"
        )
    if differences:
        # What was queued under the old settings may not fit the new space.
        directory.journal.unlink(missing_ok=True)
    _write_config(directory, config)


def _write_config(directory: RunDirectory, config: RunConfig) -> None:
    """Write the resolved configuration, unless the file already says the same."""
    text = configuration.dump(config)
    if directory.config.is_file() and configuration.load(directory.config) == config:
        return
    write_text(directory.config, text)


class _Search:
    """The stages of one run, and its workers."""

    def __init__(self, config: RunConfig, directory: RunDirectory, progress: Progress) -> None:
        self._config = config
        self._directory = directory
        self._progress = progress
        self._trials_since_replacement = 0

    def run(self) -> None:
        """Every stage, then the finish."""
        for stage, wanted in stages(self._config).items():
            self._stage(stage, wanted)
            self._look_back(stage)
        self._progress.message("refitting, calibrating and testing the winner")
        self._single(worker.finish, workers=1)

    def _look_back(self, stage: str) -> None:
        """Say what a stage has not left to those after it.

        Raises:
            UserError: they cannot begin.
        """
        root, journal = self._directory.root, self._directory.journal
        if stage == "architecture" and not studies.best(studies.open_study(journal, stage), 1):
            raise UserError(
                f"no architecture trial of {root} completed; see why with: "
                f"dfsearch leaderboard {root}"
            )
        if stage == "gan" and (line := left_without(self._config)):
            self._progress.message(line)

    def _stage(self, stage: str, wanted: int) -> None:
        """Run the trials a stage still lacks; a dead worker costs its trial, not the stage."""
        if wanted == 0:
            return
        study = studies.open_study(self._directory.journal, stage)
        studies.reap_interrupted(study)
        done = len(studies.finished(study))
        self._progress.stage(stage, done, wanted)
        if done < wanted and not studies.has_begun(study):
            self._single(worker.enqueue, stage, workers=self._config.workers)
        idle_deaths = 0
        while done < wanted:
            self._batch(stage, wanted - done)
            before, done = done, len(studies.finished(study))
            idle_deaths = 0 if done > before else idle_deaths + 1
            if idle_deaths == MAX_IDLE_DEATHS:
                raise UserError(
                    f"workers of the {stage} stage die before they begin a trial; "
                    "is there enough memory?"
                )
        self._progress.stage(stage, done, wanted)

    def _batch(self, stage: str, lacking: int) -> None:
        """Run trials until enough are done, the workers are old, or one of them dies."""
        workers = self._config.workers
        left = TRIALS_A_WORKER * workers - self._trials_since_replacement
        tasks = [(worker.run_trial, (self._config, stage))] * min(lacking, max(1, left))
        try:
            for outcome in fan_out(tasks, workers):
                self._trials_since_replacement += 1
                self._progress.trial(outcome)
        except WorkerDiedError as death:
            # The dead worker's trial has failed; those of the others are innocent and retried.
            study = studies.open_study(self._directory.journal, stage)
            studies.reap_dead(study, f"the worker died: {death}")
            self._replace_workers(kill=True)
            studies.reap_interrupted(study)
            self._progress.message(f"a worker died ({death}); its trial counts as failed")
        if self._trials_since_replacement >= TRIALS_A_WORKER * workers:
            self._replace_workers()

    def _replace_workers(self, *, kill: bool = False) -> None:
        replace_workers(kill=kill)
        self._trials_since_replacement = 0

    def _single(self, call: Callable[..., None], *arguments: str, workers: int) -> None:
        """Run one task whose worker's death ends the run."""
        try:
            list(fan_out([(call, (self._config, *arguments))], workers))
        except WorkerDiedError as death:
            raise UserError(
                f"the worker died ({death}); is there enough memory? The same command goes on"
            ) from None
