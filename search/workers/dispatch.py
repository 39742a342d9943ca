"""The dispatch of the trials of a stage to workers, which may die at any time."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from artifacts import records
from artifacts.run_directory import RunDirectory
from artifacts.stages import Stage
from data_prep.errors import UserError
from search.config.run_config import RunConfig
from search.config.stages import trials_by_stage
from search.studies.run_state import RunState
from search.studies.samplers import is_exhausted
from search.studies.study import (
    finished_trials,
    has_started,
    open_study,
    read_trials,
)
from search.trials import heartbeat, queue
from search.trials.time_limit import fail_dead_trial, has_hung
from search.trials.trial import TrialOutcome
from search.workers import worker
from search.workers.budget import Budget
from search.workers.crew import Crew, WorkerDiedError
from search.workers.joined_workers import list_joined_workers
from search.workers.progress import RunProgress

TRIALS_A_WORKER = 25
MAX_IDLE_DEATHS = 3

_TICK_SECONDS = 1.0


class Dispatch:
    """The dispatch of one stage.

    Trials are queued, and each worker claims one: workers of the crew when they are called, joined
    workers by themselves. Results of a trial are read from its study alone.

    Args:
        config: Run configuration.
        stage: Stage to dispatch.
        crew: Workers that this process calls.
        progress: Receiver of reports.
        call: Call of a worker for one trial.
        budget: Limit after which no further trial starts.
    """

    def __init__(
        self,
        config: RunConfig,
        stage: Stage,
        crew: Crew,
        progress: RunProgress,
        call: Callable[[RunConfig, Stage], worker.Ran] = worker.run_trial,
        budget: Budget | None = None,
    ) -> None:
        self._config = config
        self._stage = stage
        self._directory = RunDirectory(config.run_dir)
        self._study = open_study(self._directory, stage)
        self._crew = crew
        self._progress = progress
        self._call = call
        self._budget = budget or Budget(config)
        self._is_spent = False
        self._watch = heartbeat.HeartbeatMonitor(config.limits.silence_seconds)
        self._calls: set[Future[Any]] = set()
        self._reported: set[int] = set()
        self._inherited = {trial.number for trial in queue.running_trials(self._study)}
        self._idle_deaths = 0

    def run(self, wanted: int, enqueue: Callable[[], None]) -> None:
        """Run the trials the stage still lacks; a dead worker costs its trial, not the stage.

        Args:
            wanted: Number of trials the stage is to have.
            enqueue: Function that queues the first trials; called before any trial has started.

        Raises:
            UserError: Every trial would fail in the same way, or workers die before their trial.
        """
        done = finished_trials(self._study)
        self._reported = {trial.number for trial in done}
        self._progress.stage(self._stage, self._ended(), wanted)
        self._budget.begin(self._stage)
        self._is_spent = self._has_been_left()
        if len(done) < wanted and self._is_open() and not has_started(self._study):
            enqueue()
        queue.open_for_claims(self._study, not self._is_spent)
        while self._is_under_way(wanted):
            self._give_up_the_dead()
            joined = list_joined_workers(self._directory, self._watch)
            if self._is_open():
                queue.queue_trials(self._study, wanted, self._crew.slots() + len(joined))
                self._call_workers(joined)
            self._collect()
            self._report()
        queue.open_for_claims(self._study, False)
        self._progress.stage(self._stage, self._ended(), wanted)

    def _has_been_left(self) -> bool:
        """Return whether a later stage has started, which uses the results of this one.

        Trials that extend a search are not for the later stages: they compete for the export.
        """
        if RunState.read(self._directory).is_extending:
            return False
        order = list(trials_by_stage(self._config))
        later = order[order.index(self._stage) + 1 :]
        begun = read_trials(self._directory)
        return any(
            trial.state != TrialState.WAITING
            for stage in later
            for trial in begun.get(stage.name, ())
        )

    def _is_open(self) -> bool:
        """Return whether further trials may start."""
        if not self._is_spent and (reason := self._budget.spent(self._study)):
            self._is_spent = True
            queue.open_for_claims(self._study, False)
            self._progress.message(f"the {self._stage} stage ends: {reason}")
        return not self._is_spent and not is_exhausted(self._study)

    def _is_under_way(self, wanted: int) -> bool:
        """Return whether trials are lacking or still run."""
        if self._calls or queue.running_trials(self._study):
            return True
        return self._is_open() and len(finished_trials(self._study)) < wanted

    def _call_workers(self, joined: set[str]) -> None:
        """Call free workers of the crew, at most one for each unclaimed trial."""
        claimed = sum(
            heartbeat.starter_name(trial.user_attrs) not in joined
            for trial in queue.running_trials(self._study)
        )
        claiming = max(0, len(self._calls) - claimed)
        unclaimed = len(queue.waiting_trials(self._study)) - claiming
        for _ in range(min(self._crew.slots() - len(self._calls), unclaimed)):
            self._calls.add(self._crew.submit(self._call, self._config, self._stage))

    def _collect(self) -> None:
        """Wait a moment for calls to return, and handle their ends."""
        if not self._calls:
            time.sleep(_TICK_SECONDS)
            return
        returned, self._calls = concurrent.futures.wait(
            self._calls, _TICK_SECONDS, return_when=concurrent.futures.FIRST_COMPLETED
        )
        for future in returned:
            try:
                self._crew.collect(future, lambda ran: is_worn(ran, self._config))
                self._idle_deaths = 0
            except WorkerDiedError as death:
                self._bury(str(death))

    def _bury(self, said: str) -> None:
        """Fail the trial of a dead worker of the crew."""
        dead = [
            trial
            for trial in queue.running_trials(self._study)
            if self._is_ours(trial) and heartbeat.is_dead_here(trial.user_attrs)
        ]
        self._idle_deaths = 0 if dead else self._idle_deaths + 1
        if self._idle_deaths == MAX_IDLE_DEATHS:
            raise UserError(
                f"workers of the {self._stage} stage die before they start a trial ({said}); "
                "is there enough memory?"
            )
        for trial in dead:
            minutes = self._config.limits.trial_minutes
            fail_dead_trial(self._study, trial, self._folder(trial), minutes, said)

    def _give_up_the_dead(self) -> None:
        """Return the trials of workers that died elsewhere, or with an earlier process."""
        for trial in queue.running_trials(self._study):
            # The crew reports the death of these workers.
            if self._is_ours(trial):
                continue
            folder = self._folder(trial)
            if not self._watch.is_gone(trial.user_attrs, folder / heartbeat.HEARTBEAT):
                continue
            if has_hung(folder):
                fail_dead_trial(self._study, trial, folder, self._config.limits.trial_minutes, "")
                continue
            # A trial that was interrupted with the run did not cause it.
            died = trial.number not in self._inherited
            (folder / heartbeat.HEARTBEAT).unlink(missing_ok=True)
            if queue.give_back(self._study, trial, died=died) and died:
                host = trial.user_attrs.get(heartbeat.HOST, "unknown")
                self._progress.message(
                    f"{self._stage} {trial.number}: its worker on {host} died or fell silent"
                )

    def _is_ours(self, trial: FrozenTrial) -> bool:
        """Return whether a worker of the crew claimed a trial; process ids may repeat."""
        if not self._crew.is_here or trial.number in self._inherited:
            return False
        return heartbeat.is_child(trial.user_attrs)

    def _report(self) -> None:
        """Report trials that have ended since the last report, and the running ones."""
        for trial in finished_trials(self._study):
            if trial.number not in self._reported:
                self._reported.add(trial.number)
                self._progress.trial(_outcome(self._stage, trial))
        self._progress.running([trial.number for trial in queue.running_trials(self._study)])

    def _ended(self) -> list[TrialOutcome]:
        return [_outcome(self._stage, trial) for trial in finished_trials(self._study)]

    def _folder(self, trial: FrozenTrial) -> Path:
        return self._directory.trial(self._stage, trial.number)


def is_worn(ran: worker.Ran, config: RunConfig) -> bool:
    """Return whether a worker is replaced, for its number of trials or its memory."""
    return ran.trials >= TRIALS_A_WORKER or 0 < config.limits.worker_gb * 1e9 < ran.resident


def _outcome(stage: Stage, trial: FrozenTrial) -> TrialOutcome:
    """Return the outcome of a trial from its study."""
    known = trial.user_attrs
    complete = trial.state == optuna.trial.TrialState.COMPLETE
    return TrialOutcome(
        stage=stage,
        number=trial.number,
        state=records.STATES[trial.state],
        value=trial.values[0] if complete and trial.values else None,
        seconds=known.get(records.SECONDS, 0.0),
        reason=known.get(records.REASON, ""),
    )
