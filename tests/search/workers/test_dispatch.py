"""Trials of a stage handed out for real: processes, journal, kills. What is trained is tiny."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from artifacts.records import REASON
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, Stage
from data_prep.errors import UserError
from search.config.run_config import RunConfig, resolve
from search.config.stages import trials_by_stage
from search.studies.run_state import RunState
from search.studies.server import HOSTS, lend_password
from search.studies.storage import translate_server_errors
from search.studies.study import (
    INTERRUPTED,
    RETRY_OF,
    finished_trials,
    open_study,
    sequence_number,
)
from search.trials import heartbeat, queue
from search.trials.trial import OpenTrial, TrialOutcome, TrialResult, run_trial
from search.workers import dispatch, worker
from search.workers.dispatch import Dispatch
from search.workers.local import LocalWorkers

STAGE = ARCHITECTURE
WAIT_SECONDS = 120


def tiny(config: RunConfig, stage: str) -> worker.Ran:
    """Run a trial that does what ``plan.json`` in the run directory says of its draw, once."""
    lend_password(config.storage)
    with translate_server_errors(RunDirectory(config.run_dir)):
        return worker.run_waiting(lambda: run_trial(config, stage, 3, objective))


def objective(trial: OpenTrial) -> TrialResult:
    x = trial.optuna.suggest_float("x", 0, 1)
    run_dir = trial.folder.parents[2]
    draw = sequence_number(trial.optuna.study, trial.optuna)
    plan = json.loads((run_dir / "plan.json").read_text())
    done = run_dir / f"{draw}.done"
    if not done.exists():
        done.touch()
        do(plan.get(str(draw), ""), trial)
    trial.record({"epoch": 1, "value": x})
    return TrialResult(x, {"pid": os.getpid()})


def do(what: str, trial: OpenTrial) -> None:
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "a moment":
        time.sleep(1)
    elif what == "hang":
        # In native code that keeps the interpreter's lock: no thread of Python runs meanwhile.
        import ctypes

        ctypes.PyDLL(None).sleep(600)
    elif what == "nan":
        raise FloatingPointError("the loss is nan in epoch 1: training diverged")
    elif what == "memory":
        raise MemoryError
    elif what == "refuse":
        raise UserError("no store at s.h5")


@dataclasses.dataclass
class Told:
    """What a run told."""

    outcomes: list[TrialOutcome] = dataclasses.field(default_factory=list)
    lines: list[str] = dataclasses.field(default_factory=list)

    def stage(self, stage: Stage, ended: Sequence[TrialOutcome], total: int) -> None:
        self.lines.append(f"{stage} {len(ended)}/{total}")

    def trial(self, outcome: TrialOutcome) -> None:
        self.outcomes.append(outcome)

    def running(self, numbers: Sequence[int]) -> None:
        pass

    def message(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    (tmp_path / "plan.json").write_text("{}")
    limits = {"silence_seconds": 2}
    RunState.begin(RunDirectory(tmp_path), "0" * 64)
    return resolve({"store": "s.h5", "run_dir": tmp_path, "limits": limits})


@pytest.fixture
def workers() -> Iterator[Callable[[int], LocalWorkers]]:
    made: list[LocalWorkers] = []

    def make(count: int) -> LocalWorkers:
        made.append(LocalWorkers(count))
        return made[-1]

    yield make
    for crew in made:
        crew.close(kill=True)


def plan(config: RunConfig, **what: str) -> None:
    """What trials do by their draw: ``plan(config, d0="die")``."""
    text = json.dumps({draw.removeprefix("d"): action for draw, action in what.items()})
    (config.run_dir / "plan.json").write_text(text)


def study_of(config: RunConfig) -> optuna.Study:
    return open_study(RunDirectory(config.run_dir), STAGE)


def hand_out(config: RunConfig, crew: LocalWorkers, wanted: int) -> Told:
    told = Told()
    Dispatch(config, STAGE, crew, told, tiny).run(wanted, lambda: None)
    return told


def trials(config: RunConfig) -> list[FrozenTrial]:
    return study_of(config).get_trials(deepcopy=False)


def error_of(config: RunConfig, trial: FrozenTrial) -> str:
    return (RunDirectory(config.run_dir).trial(STAGE, trial.number) / "error.txt").read_text()


@pytest.mark.parametrize("count", [1, 2])
def test_the_asked_number_is_run_and_told(
    config: RunConfig, workers: Callable[[int], LocalWorkers], count: int
) -> None:
    plan(config, d0="a moment", d1="a moment")
    told = hand_out(config, workers(count), 6)
    assert [trial.state for trial in trials(config)] == [TrialState.COMPLETE] * 6
    assert sorted(outcome.number for outcome in told.outcomes) == list(range(6))
    assert len({trial.user_attrs["pid"] for trial in trials(config)}) == count
    assert (told.lines[0], told.lines[-1]) == (f"{STAGE} 0/6", f"{STAGE} 6/6")
    again = hand_out(config, workers(count), 6)
    assert again.outcomes == []
    assert len(trials(config)) == 6


def test_one_worker_and_one_seed_repeat_a_search_also_where_it_was_interrupted(
    config: RunConfig, workers: Callable[[int], LocalWorkers], tmp_path: Path
) -> None:
    def drawn(name: str, stop_at: int | None = None) -> list[float]:
        folder = tmp_path / name
        folder.mkdir()
        ours = config.model_copy(update={"run_dir": folder})
        RunState.begin(RunDirectory(folder), "0" * 64)
        plan(ours, **({} if stop_at is None else {f"d{stop_at}": "refuse"}))
        crew = workers(1)
        if stop_at is not None:
            with pytest.raises(UserError, match="no store"):
                hand_out(ours, crew, 11)
            assert len(queue.running_trials(study_of(ours))) == 1
            # As if the run had been killed.
            crew.close(kill=True)
            crew = workers(1)
        hand_out(ours, crew, 11)
        counted = finished_trials(study_of(ours))
        counted.sort(key=lambda trial: sequence_number(study_of(ours), trial))
        return [trial.params["x"] for trial in counted]

    whole = drawn("whole")
    assert len(set(whole)) == 11
    assert drawn("again") == whole
    assert drawn("interrupted", stop_at=9) == whole


def test_what_goes_wrong_in_a_trial_fails_it_alone_with_reason_and_log(
    config: RunConfig, workers: Callable[[int], LocalWorkers]
) -> None:
    timed = config.model_copy(
        update={"limits": config.limits.model_copy(update={"trial_minutes": 0.03})}
    )
    plan(timed, d0="die", d1="hang", d2="nan", d3="memory")
    told = hand_out(timed, workers(1), 6)
    found = trials(timed)
    assert len(found) == 6
    reasons = [trial.user_attrs.get(REASON, "") for trial in found]
    assert reasons[0].startswith("the worker died: SIGKILL")
    assert reasons[1] == "hung: no end after 0.03 minutes"
    assert reasons[2].startswith("FloatingPointError: the loss is nan")
    assert reasons[3] == "out of memory"
    assert [trial.state for trial in found] == [TrialState.FAIL] * 4 + [TrialState.COMPLETE] * 2
    assert [error_of(timed, trial) != "" for trial in found[:4]] == [True] * 4
    assert "in do" in error_of(timed, found[1]), "where it hung"
    assert sorted(outcome.reason for outcome in told.outcomes if outcome.reason) == sorted(
        reasons[:4]
    )
    left = {path.name for trial in found for path in folder(timed, trial).iterdir()}
    assert left == {"error.txt", "metrics.json", "history.csv"}


def folder(config: RunConfig, trial: FrozenTrial) -> Path:
    return RunDirectory(config.run_dir).trial(STAGE, trial.number)


def test_a_killed_worker_leaves_the_trial_of_its_neighbour_alone(
    config: RunConfig, workers: Callable[[int], LocalWorkers]
) -> None:
    plan(config, d0="a moment", d1="die")
    hand_out(config, workers(2), 4)
    found = trials(config)
    assert [trial.state for trial in found].count(TrialState.FAIL) == 1
    assert len(found) == 4, "nothing was repeated"


def test_trials_that_all_fail_end_the_stage(
    config: RunConfig, workers: Callable[[int], LocalWorkers]
) -> None:
    plan(config, **{f"d{draw}": "nan" for draw in range(3)})
    hand_out(config, workers(1), 3)
    assert [trial.state for trial in trials(config)] == [TrialState.FAIL] * 3


def die_at_once(config: RunConfig, stage: str) -> worker.Ran:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_workers_that_die_before_they_begin_end_the_run_in_one_line(
    config: RunConfig, workers: Callable[[int], LocalWorkers]
) -> None:
    with pytest.raises(UserError, match="die before they start a trial"):
        Dispatch(config, STAGE, workers(1), Told(), die_at_once).run(3, lambda: None)
    assert [trial.state for trial in trials(config)] == [TrialState.WAITING]


def test_a_worker_above_its_memory_mark_is_replaced(
    config: RunConfig, workers: Callable[[int], LocalWorkers]
) -> None:
    small = config.limits.model_copy(update={"worker_gb": 0.001})
    hand_out(config.model_copy(update={"limits": small}), workers(1), 3)
    assert len({trial.user_attrs["pid"] for trial in trials(config)}) == 3


def test_a_worker_is_replaced_after_some_trials(
    config: RunConfig,
    workers: Callable[[int], LocalWorkers],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch, "TRIALS_A_WORKER", 2)
    hand_out(config, workers(1), 4)
    pids = [trial.user_attrs["pid"] for trial in trials(config)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


@pytest.fixture
def joined(config: RunConfig) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a process that claims a trial of the run by itself, and sleeps in it."""
    begun: list[subprocess.Popen[bytes]] = []
    code = (
        "import sys, time, pathlib; from artifacts.stages import ARCHITECTURE\n"
        "from artifacts.run_directory import RunDirectory\n"
        "from search.studies.study import open_study; from search.trials import queue\n"
        "from search.trials import heartbeat\n"
        "study = open_study(RunDirectory(pathlib.Path(sys.argv[1])), ARCHITECTURE)\n"
        "while (trial := queue.claim_trial(study)) is None: time.sleep(0.05)\n"
        "trial.set_user_attr('host', sys.argv[2])\n"
        "folder = pathlib.Path(sys.argv[1]) / 'trials' / 'architecture' / str(trial.number)\n"
        "folder.mkdir(parents=True)\n"
        "with heartbeat.keep_heartbeat(folder / 'heartbeat', 0.2): time.sleep(3)\n"
        "study.tell(trial, 0.5)\n"
    )

    def begin(host: str = "") -> subprocess.Popen[bytes]:
        place = [str(config.run_dir.resolve()), host or socket.gethostname()]
        begun.append(subprocess.Popen([sys.executable, "-c", code, *place]))
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_stage_that_another_was_built_on_is_not_taken_up_again(
    config: RunConfig, workers: Callable[[int], LocalWorkers]
) -> None:
    hand_out(config, workers(1), 2)
    order = list(trials_by_stage(config))
    later = order[order.index(STAGE) + 1]
    open_study(RunDirectory(config.run_dir), later).ask()
    told = hand_out(config, workers(1), 6)
    assert told.lines[-1] == f"{STAGE} 2/6"
    assert len(trials(config)) == 2
    assert queue.claim_trial(study_of(config)) is None


def test_what_others_finish_is_counted_and_waited_for(
    config: RunConfig,
    workers: Callable[[int], LocalWorkers],
    joined: Callable[..., subprocess.Popen[bytes]],
) -> None:
    queue.queue_trials(study_of(config), 1, 1)
    joined("another-host.example")
    wait_for(lambda: queue.running_trials(study_of(config)))
    told = hand_out(config, workers(1), 3)
    assert [trial.state for trial in trials(config)] == [TrialState.COMPLETE] * 3
    assert trials(config)[0].value == 0.5
    assert sorted(outcome.number for outcome in told.outcomes) == [0, 1, 2]


@pytest.mark.parametrize("host", ["", "another-host.example"])
def test_the_trial_of_a_worker_elsewhere_that_died_is_repeated_once(
    config: RunConfig,
    workers: Callable[[int], LocalWorkers],
    joined: Callable[..., subprocess.Popen[bytes]],
    host: str,
) -> None:
    """By its process id on this host; by its silence on any other."""
    queue.queue_trials(study_of(config), 1, 1)
    process = joined(host)
    beats = config.run_dir / "trials" / STAGE.name / "0" / heartbeat.HEARTBEAT
    wait_for(beats.exists)
    process.kill()
    process.wait()
    hand_out(config, workers(1), 3)
    found = trials(config)
    assert found[0].user_attrs[REASON] == INTERRUPTED
    assert [t.user_attrs.get(RETRY_OF) for t in found].count(0) == 1
    counted = finished_trials(study_of(config))
    assert len(counted) == 3
    assert sorted(sequence_number(study_of(config), trial) for trial in counted) == [0, 1, 2]


def test_a_server_that_goes_away_ends_the_run_and_the_next_one_goes_on(
    postgresql: Any,
    config: RunConfig,
    workers: Callable[[int], LocalWorkers],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPASSWORD", postgresql.PASSWORD)
    monkeypatch.setenv(HOSTS, postgresql.host)
    (config.run_dir / "config.toml").write_text(f'storage = "{postgresql.url}"\n')
    (config.run_dir / "run.json").write_text(
        json.dumps({"store_fingerprint": "0" * 64, "name": "gone-1"})
    )
    plan(config, d1="a moment")
    crew, run = workers(1), RunDirectory(config.run_dir)

    class StopsTheServer(Told):
        def running(self, numbers: Sequence[int]) -> None:
            if 1 in numbers:
                postgresql.stop()

    with (
        pytest.raises(UserError, match="to resume, repeat the command"),
        translate_server_errors(run),
    ):
        Dispatch(config, STAGE, crew, StopsTheServer(), tiny).run(3, lambda: None)
    crew.close(kill=True)
    postgresql.start()
    hand_out(config, workers(1), 3)
    found = finished_trials(study_of(config))
    assert [trial.state for trial in found] == [TrialState.COMPLETE] * 3
    assert sorted(sequence_number(study_of(config), trial) for trial in found) == [0, 1, 2]
