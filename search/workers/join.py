"""A worker that joins a run from any host with access to the run directory."""

from __future__ import annotations

import concurrent.futures
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from artifacts.run_directory import RunDirectory
from artifacts.stages import Stage
from data_prep.errors import UserError
from search.config import run_config
from search.config.run_config import RunConfig
from search.studies.run_state import check_worker, is_finished
from search.studies.storage import StorageLocation, translate_server_errors
from search.studies.study import (
    open_study,
    open_study_at,
    stages_with_study,
)
from search.trials import heartbeat, queue
from search.trials.time_limit import fail_dead_trial
from search.workers import worker
from search.workers.crew import WorkerDiedError
from search.workers.dispatch import MAX_IDLE_DEATHS, is_worn
from search.workers.joined_workers import announce_worker
from search.workers.local import LocalWorkers

_POLL_SECONDS = 1.0
_SAID_SECONDS = 60.0


def work(
    directory: RunDirectory,
    say: Callable[[str], None],
    *,
    store: Path | None = None,
    device: str | None = None,
) -> int:
    """Claim and run trials of a run until it is finished; return the number of trials.

    ``dfsearch run`` queues the trials and counts the finished ones. This worker only claims queued
    trials.

    Args:
        directory: Run directory, on a file system that the hosts share.
        say: Function that prints one line.
        store: Path of the store on this host, if it differs from that of the run.
        device: Device of this worker, instead of the configured one.

    Raises:
        UserError: There is no run, its versions or its store differ, the storage is gone, or
            workers die before they start a trial.
        KeyboardInterrupt: Passed on after the current trial was returned to the queue.
    """
    directory.open().check_links()
    over = {"store": store and store.absolute(), "device": device}
    given = {name: value for name, value in over.items() if value is not None}
    config = run_config.load(directory.config, given)
    check_worker(directory, config.store)
    beats = min(heartbeat.BEAT_SECONDS, config.limits.silence_seconds / 4)
    with translate_server_errors(directory), announce_worker(directory, beats):
        return _Member(directory, config, say).work()


class _Member:
    """One joined worker of a run."""

    def __init__(
        self, directory: RunDirectory, config: RunConfig, say: Callable[[str], None]
    ) -> None:
        self._directory = directory
        self._config = config
        self._say = say
        self._crew = LocalWorkers(1)
        self._done = 0
        self._idle_deaths = 0
        self._stage: Stage | None = None

    def work(self) -> int:
        """Run trials until the run is finished; return their number."""
        self._say(f"joined {self._directory.root}; Ctrl-C leaves the run")
        waiting_since, said = time.monotonic(), False
        try:
            while not is_finished(self._directory):
                stage = self._open_stage()
                if stage and self._run_one(stage):
                    waiting_since, said = time.monotonic(), False
                    continue
                if not said and time.monotonic() - waiting_since > _SAID_SECONDS:
                    said = True
                    self._say(
                        f"no trial is queued; is dfsearch run {self._directory.root} running?"
                    )
                time.sleep(_POLL_SECONDS)
        finally:
            self._crew.close(kill=True)
            self._give_back()
        return self._done

    def _open_stage(self) -> Stage | None:
        """Return a stage with a trial that may be claimed."""
        location = StorageLocation.read(self._directory)
        for stage in stages_with_study(location):
            study = open_study_at(location, stage)
            if study.user_attrs.get(queue.OPEN) and queue.waiting_trials(study):
                return stage
        return None

    def _run_one(self, stage: Stage) -> bool:
        """Run a trial in a process of its own; return whether there was one."""
        self._stage = stage
        future = self._crew.submit(worker.run_trial, self._config, stage)
        concurrent.futures.wait([future])
        try:
            ran = self._crew.collect(future, lambda ran: is_worn(ran, self._config))
        except WorkerDiedError as death:
            self._bury(stage, str(death))
            return True
        self._idle_deaths = 0
        if ran.outcome is None:
            return False
        self._done += 1
        self._say(f"{stage} {ran.outcome.number}: {ran.outcome.state}")
        return True

    def _bury(self, stage: Stage, said: str) -> None:
        """Fail the trial that was running when the process died."""
        study = open_study(self._directory, stage)
        ours = [t for t in queue.running_trials(study) if heartbeat.is_child(t.user_attrs)]
        self._idle_deaths = 0 if ours else self._idle_deaths + 1
        if self._idle_deaths == MAX_IDLE_DEATHS:
            raise UserError(f"workers die before they start a trial ({said}); enough memory?")
        for trial in ours:
            folder = self._directory.trial(stage, trial.number)
            fail_dead_trial(study, trial, folder, self._config.limits.trial_minutes, said)
            self._say(f"{stage} {trial.number}: failed, the worker died: {said}")

    def _give_back(self) -> None:
        """Return the unfinished trial of this worker to the queue."""
        # Without the storage, the run detects that this worker is silent.
        with contextlib.suppress(UserError), translate_server_errors(self._directory):
            if not self._stage:
                return
            study = open_study(self._directory, self._stage)
            for trial in queue.running_trials(study):
                if heartbeat.is_child(trial.user_attrs) and queue.give_back(study, trial):
                    self._say(f"{self._stage} {trial.number}: returned to the queue")
