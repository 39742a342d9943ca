"""Workers that join a run by themselves, on real detectors."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest
from optuna.trial import FrozenTrial, TrialState

from artifacts.records import REASON
from artifacts.run_directory import RunDirectory
from data_prep.store.store import Store
from search.studies.study import (
    INTERRUPTED,
    RETRY_OF,
    read_trials,
)
from search.trials import heartbeat

Dfsearch = Callable[..., subprocess.CompletedProcess[str]]
Begin = Callable[..., subprocess.Popen[str]]
WAIT_SECONDS = 240


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start a command in the background: ``begin("run", config)``."""
    begun: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "search.cli", *map(str, arguments)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def trials(run_dir: Path) -> list[FrozenTrial]:
    if not (run_dir / "run.json").exists():
        return []
    return read_trials(RunDirectory(run_dir)).get("architecture", [])


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def of(trial: FrozenTrial, process: subprocess.Popen[str]) -> bool:
    """Whether the worker that a process started is in the middle of a trial."""
    started = trial.user_attrs.get(heartbeat.PARENT) == process.pid
    return started and trial.state == TrialState.RUNNING


@pytest.mark.minutes
@pytest.mark.parametrize(
    ("storage", "leaves"), [("journal", signal.SIGTERM), ("postgresql", signal.SIGKILL)]
)
def test_workers_join_and_leave_a_run_whose_number_of_trials_stays_exact(
    write_config: Callable[..., Path],
    begin: Begin,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    storage: str,
    leaves: signal.Signals,
) -> None:
    if storage == "postgresql":
        server = request.getfixturevalue("postgresql")
        monkeypatch.setenv("PGPASSWORD", server.PASSWORD)
        flags = ("--storage", server.url)
    else:
        flags = ()
    config, run_dir = write_config(tmp_path, architecture=6, gan=0, training=0), tmp_path / "run"
    run = begin("run", config, *flags)
    wait_for(lambda: any(trial.state == TrialState.RUNNING for trial in trials(run_dir)))
    first = begin("work", run_dir)
    lost = wait_for(lambda: [trial for trial in trials(run_dir) if of(trial, first)])[0]
    os.kill(first.pid, leaves)
    second = begin("work", run_dir)
    assert first.wait(timeout=WAIT_SECONDS) == (130 if leaves == signal.SIGTERM else -leaves)
    assert run.wait(timeout=WAIT_SECONDS) == 0
    assert second.wait(timeout=WAIT_SECONDS) == 0

    found = trials(run_dir)
    counted = [trial for trial in found if trial.user_attrs.get(REASON) != INTERRUPTED]
    assert len(counted) == 6
    assert all(trial.state.is_finished() for trial in found)
    lost = found[lost.number]
    if lost.user_attrs.get(REASON) == INTERRUPTED:
        (retry,) = [t for t in found if t.user_attrs.get(RETRY_OF) == lost.number]
        assert lost.params.items() <= retry.params.items()
    hosts = {trial.user_attrs[heartbeat.PARENT] for trial in counted}
    assert run.pid in hosts
    assert second.pid in hosts
    assert (run_dir / "best_model.json").exists()
    if storage == "postgresql":
        assert not (run_dir / "studies.log").exists()
        assert server.PASSWORD not in (run_dir / "config.toml").read_text()


def test_a_worker_with_other_versions_is_refused_with_what_differs(
    finished_run: Path, in_process: Dfsearch, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(finished_run, run_dir)
    state = json.loads((run_dir / "run.json").read_text())
    state["versions"]["keras"] = "2.0.0"
    (run_dir / "run.json").write_text(json.dumps(state))
    refused = in_process("work", run_dir)
    assert refused.returncode == 2
    assert "was started with keras 2.0.0 (here" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_worker_with_another_store_is_refused(
    finished_run: Path, store: Store, in_process: Dfsearch, tmp_path: Path
) -> None:
    changed = tmp_path / "changed.h5"
    shutil.copy(store.path, changed)
    with h5py.File(changed, "r+") as file:
        file.attrs["fingerprint"] = "f" * 64
    refused = in_process("work", finished_run, "--store", changed)
    assert refused.returncode == 2
    assert "fingerprint ffffffffffff" in refused.stderr


def test_a_folder_that_is_no_run_cannot_be_joined(in_process: Dfsearch, tmp_path: Path) -> None:
    refused = in_process("work", tmp_path)
    assert refused.returncode == 2
    assert "no run at" in refused.stderr


def test_a_finished_run_has_nothing_to_join(finished_run: Path, dfsearch: Dfsearch) -> None:
    done = dfsearch("work", finished_run, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "this worker ran 0" in done.stdout
