"""A run: checks, the search stage by stage, the finish. It resumes after an interruption."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from artifacts.leaderboard.validation_split import ValidationSplit
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, GAN, Stage
from data_prep.errors import UserError
from data_prep.store.store import Store
from data_prep.text import printable
from search.claim import claim, is_whole, next_step
from search.config.feasible import obstacle_to
from search.config.run_config import RunConfig
from search.config.sections import WEIGHTS
from search.config.stages import trials_by_stage
from search.gan.trained_gans import missing_gan_note
from search.preflight import remarks
from search.studies import storage
from search.studies.journal import recover
from search.studies.run_state import RunState
from search.studies.study import best_trials, open_study
from search.trials.tensorboard import require_tensorboard
from search.workers import worker
from search.workers.budget import Budget
from search.workers.crew import Crew, WorkerDiedError
from search.workers.dispatch import Dispatch
from search.workers.local import LocalWorkers
from search.workers.progress import RunProgress
from spaces.backbones.names import PRETRAINED


def run(config: RunConfig, progress: RunProgress, *, extend: bool = False) -> RunDirectory:
    """Search, train, test and export; resume a run that the directory already holds.

    Args:
        config: Resolved configuration.
        progress: Receiver of stages, trials and messages.
        extend: Whether a finished run gets the trials that it lacks, and a new finish.

    Returns:
        Run directory with every artifact.

    Raises:
        UserError: The store cannot be searched on, the directory belongs to another store or
            configuration, another process runs in it, or no trial finished.
        KeyboardInterrupt: Passed on after the workers have ended; the run can be resumed.
    """
    for path in (config.store, config.run_dir):
        if printable(str(path)) != str(path):
            raise UserError(
                f"{printable(str(path))}: the path must be valid text; rename it or make a link"
            )
    fingerprint, notes = _check_store(config)
    directory = RunDirectory(config.run_dir)
    if not directory.certificate.is_file():
        _check_weights(config)
    try:
        directory.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory.root} cannot be created: {error.strerror}") from None
    directory.check_links()
    if config.tensorboard:
        require_tensorboard()
    with directory.locked(), storage.translate_server_errors(directory):
        directory.sweep()
        recover(directory)
        notes += claim(directory, config, fingerprint, extend=extend)
        if is_whole(directory):
            step = next_step(directory, config, extend=extend)
            progress.message(f"{directory.root} is finished; {step}")
            return directory
        for line in notes:
            progress.message(line)
        if not directory.validation.is_file():
            with Store(config.store) as store:
                ValidationSplit.from_store(store).write(directory)
        _Search(config, directory, progress).run()
        state = RunState.read(directory)
        if state.is_extending:
            dataclasses.replace(state, is_extending=False).write(directory)
    return directory


def _check_store(config: RunConfig) -> tuple[str, list[str]]:
    """Return the fingerprint of a usable store, and the remarks on it.

    Raises:
        UserError: A label lacks clips in training or validation, or no stream can be built.
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


def _check_weights(config: RunConfig) -> None:
    """Check that the weights of pretrained backbones exist, before the run is made.

    Workers of a cluster may have them on their own hosts.

    Raises:
        UserError: There is no such file or folder.
    """
    weights, names = config.space.weights, set(config.space.backbones) & set(PRETRAINED)
    if weights in WEIGHTS or not names or config.cluster:
        return
    if not Path(weights).exists():
        raise UserError(f"weights of {', '.join(sorted(names))}: no file or folder {weights}")


class _Search:
    """The stages of one run, and its workers."""

    def __init__(self, config: RunConfig, directory: RunDirectory, progress: RunProgress) -> None:
        self._config = config
        self._directory = directory
        self._progress = progress
        self._crew = _crew(config)
        self._budget = Budget(config)

    def run(self) -> None:
        """Run every stage, then the finish."""
        ended = False
        try:
            for stage, wanted in trials_by_stage(self._config).items():
                self._stage(stage, wanted)
                self._check_results(stage)
            self._progress.message("refitting, calibrating and testing the winner")
            if self._config.workers > 1 and not self._config.cluster:
                # With every core.
                self._crew.close()
                self._crew = LocalWorkers(1)
            for remark in self._single(worker.finish):
                self._progress.message(remark)
            ended = True
        finally:
            # A trial must not continue without its run.
            self._crew.close(kill=not ended)

    def _check_results(self, stage: Stage) -> None:
        """Report a result that a stage lacks and later stages need.

        Raises:
            UserError: The later stages cannot start.
        """
        root = self._directory.root
        if stage == ARCHITECTURE and not best_trials(open_study(self._directory, stage), 1):
            raise UserError(
                f"no architecture trial of {root} completed; see why with: "
                f"dfsearch leaderboard {root}"
            )
        if stage == GAN and (line := missing_gan_note(self._config)):
            self._progress.message(line)

    def _stage(self, stage: Stage, wanted: int) -> None:
        """Run the trials a stage still lacks."""
        if wanted:
            dispatch = Dispatch(
                self._config, stage, self._crew, self._progress, budget=self._budget
            )
            dispatch.run(wanted, lambda: self._single(worker.enqueue, stage))

    def _single(self, call: Callable[..., Any], *arguments: Stage) -> Any:
        """Return the result of one task; the death of its worker ends the run."""
        try:
            return self._crew.collect(self._crew.submit(call, self._config, *arguments))
        except WorkerDiedError as death:
            raise UserError(
                f"the worker died ({death}); is there enough memory? To resume, repeat the command"
            ) from None


def _crew(config: RunConfig) -> Crew:
    """Return the workers that a configuration names."""
    if not config.cluster:
        return LocalWorkers(config.workers)
    from search.workers.cluster import ClusterWorkers

    return ClusterWorkers(config.cluster)
