"""Trials on a Dask cluster of separate processes. What is trained is tiny."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from artifacts.records import REASON
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, Stage
from data_prep.errors import UserError
from search.config.run_config import RunConfig, resolve
from search.studies.run_state import RunState
from search.studies.study import (
    INTERRUPTED,
    RETRY_OF,
    finished_trials,
    open_study,
    sequence_number,
)
from search.trials import heartbeat, queue
from search.trials.trial import OpenTrial, TrialOutcome, TrialResult, run_trial
from search.workers import worker
from search.workers.cluster import ClusterWorkers
from search.workers.dispatch import Dispatch

STAGE = ARCHITECTURE
WAIT_SECONDS = 120

pytest.importorskip("distributed")


def tiny(config: RunConfig, stage: str) -> worker.Ran:
    """Run a trial; those named in the run directory take long, the first time."""
    return worker.run_waiting(lambda: run_trial(config, stage, 3, objective))


def objective(trial: OpenTrial) -> TrialResult:
    x = trial.optuna.suggest_float("x", 0, 1)
    slow = trial.folder.parents[2] / f"{sequence_number(trial.optuna.study, trial.optuna)}.slow"
    if slow.exists():
        slow.unlink()
        time.sleep(600)
    return TrialResult(x, {"process": os.getpid()})


class Silent:
    """Is told, and says nothing."""

    def stage(self, stage: Stage, ended: Sequence[TrialOutcome], total: int) -> None: ...

    def trial(self, outcome: TrialOutcome) -> None: ...

    def running(self, numbers: Sequence[int]) -> None: ...

    def message(self, text: str) -> None: ...


class Cluster:
    """A scheduler, and workers that each are a process."""

    def __init__(self, folder: Path) -> None:
        self._place = folder / "scheduler.json"
        self._folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self._start("scheduler", "--port", "0", "--no-dashboard", "--no-show")
        self.wait_for(self._place.exists)
        self.address = json.loads(self._place.read_text())["address"]

    def add_worker(self, *options: str) -> subprocess.Popen[bytes]:
        """Another one; without a nanny that would start it anew."""
        chosen = options or ("--nthreads", "1")
        self._start("worker", "--no-nanny", "--no-dashboard", *chosen)
        return self.processes[-1]

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def _start(self, kind: str, *options: str) -> None:
        command = [sys.executable, "-m", "distributed.cli.dask_" + kind]
        command += ["--scheduler-file", str(self._place), *options]
        # What is called must be known there, as this package is where it is installed.
        path = os.pathsep.join([str(Path(__file__).parents[3]), *sys.path])
        process = subprocess.Popen(
            command,
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)

    @staticmethod
    def wait_for(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    started = Cluster(folder)
    yield started
    started.end()


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    RunState.begin(RunDirectory(run_dir), "0" * 64)
    limits = {"silence_seconds": 2}
    return resolve({"store": "s.h5", "run_dir": run_dir, "limits": limits})


def study_of(config: RunConfig) -> optuna.Study:
    return open_study(RunDirectory(config.run_dir), STAGE)


@pytest.mark.slow
def test_two_workers_share_the_trials_and_one_killed_in_the_middle_costs_at_most_one(
    cluster: Cluster, config: RunConfig
) -> None:
    for _ in range(2):
        cluster.add_worker()
    (config.run_dir / "1.slow").touch()
    crew = ClusterWorkers(cluster.address)
    cluster.wait_for(lambda: crew.slots() == 2)

    class KillsTheSlow(Silent):
        def running(self, numbers: Sequence[int]) -> None:
            if (config.run_dir / "1.slow").exists():
                return
            for trial in queue.running_trials(study_of(config)):
                repeated = RETRY_OF in trial.user_attrs
                if sequence_number(study_of(config), trial) == 1 and not repeated:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(trial.user_attrs[heartbeat.PID], signal.SIGKILL)

    with contextlib.closing(crew):
        Dispatch(config, STAGE, crew, KillsTheSlow(), tiny).run(6, lambda: None)
    counted = finished_trials(study_of(config))
    assert [trial.state for trial in counted] == [TrialState.COMPLETE] * 6
    assert sorted(sequence_number(study_of(config), trial) for trial in counted) == list(range(6))
    lost = [t for t in study_of(config).trials if t.user_attrs.get(REASON) == INTERRUPTED]
    assert [sequence_number(study_of(config), trial) for trial in lost] == [1]
    processes = {trial.user_attrs["process"] for trial in counted}
    assert processes <= {process.pid for process in cluster.processes}


@pytest.mark.slow
def test_a_cluster_that_goes_away_is_one_line_and_another_goes_on(
    cluster: Cluster, config: RunConfig, tmp_path: Path
) -> None:
    cluster.add_worker()
    (config.run_dir / "0.slow").touch()
    crew = ClusterWorkers(cluster.address)

    class EndsIt(Silent):
        def running(self, numbers: Sequence[int]) -> None:
            if not (config.run_dir / "0.slow").exists():
                cluster.end()

    with (
        contextlib.closing(crew),
        pytest.raises(UserError, match="has stopped; finished trials are kept"),
    ):
        Dispatch(config, STAGE, crew, EndsIt(), tiny).run(2, lambda: None)
    folder = tmp_path / "another"
    folder.mkdir()
    another = Cluster(folder)
    try:
        another.add_worker()
        with contextlib.closing(ClusterWorkers(another.address)) as crew:
            Dispatch(config, STAGE, crew, Silent(), tiny).run(2, lambda: None)
    finally:
        another.end()
    assert len(finished_trials(study_of(config))) == 2


def test_nobody_at_the_address_is_one_line() -> None:
    with pytest.raises(UserError, match="no Dask scheduler at"):
        ClusterWorkers("tcp://127.0.0.1:9")


def test_workers_of_several_threads_are_refused(cluster: Cluster) -> None:
    cluster.add_worker("--nthreads", "2")
    with pytest.raises(UserError, match="--nthreads 1"):
        ClusterWorkers(cluster.address)
