from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search.trials import heartbeat as liveness
from search.trials.heartbeat import HOST, PARENT, PID, HeartbeatMonitor, keep_heartbeat

ELSEWHERE = {HOST: "another-host.example", PID: 1, PARENT: 1}
WAIT_SECONDS = 60


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that beats in a file of the test's folder, and does nothing else."""
    code = (
        "import pathlib, sys, time; from search.trials.heartbeat import keep_heartbeat\n"
        "with keep_heartbeat(pathlib.Path(sys.argv[1]), 0.05): time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "heartbeat")])
    yield process
    process.kill()
    process.wait()


def test_this_process_is_alive_and_no_child_of_its_own() -> None:
    assert not liveness.is_dead_here(liveness.process_attributes())
    assert not liveness.is_child(liveness.process_attributes())
    assert liveness.is_child({HOST: socket.gethostname(), PARENT: os.getpid()})
    assert liveness.starter_name({HOST: socket.gethostname(), PARENT: os.getpid()}) == (
        liveness.this_starter()
    )


def test_a_process_that_ended_here_is_dead_also_before_it_is_waited_for() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    here = {HOST: socket.gethostname(), PID: process.pid}
    wait_for(lambda: liveness.is_dead_here(here))
    process.wait()
    assert liveness.is_dead_here(here)
    assert not liveness.is_dead_here(here | {HOST: "another-host.example"})


def test_a_worker_elsewhere_is_gone_when_it_falls_silent_and_not_before(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    heartbeat, watch = tmp_path / "heartbeat", HeartbeatMonitor(silence=2.0)
    wait_for(heartbeat.exists)
    since = time.monotonic()
    while time.monotonic() - since < 3:
        assert not watch.is_gone(ELSEWHERE, heartbeat)
        assert [path.name for path in watch.living(tmp_path)] == ["heartbeat"]
        time.sleep(0.1)
    sleeper.send_signal(signal.SIGSTOP)
    wait_for(lambda: watch.is_gone(ELSEWHERE, heartbeat))
    assert watch.living(tmp_path) == []
    sleeper.send_signal(signal.SIGCONT)
    wait_for(lambda: not watch.is_gone(ELSEWHERE, heartbeat))


def test_a_heartbeat_that_was_never_there_is_waited_for_as_long(tmp_path: Path) -> None:
    watch = HeartbeatMonitor(silence=0.5)
    assert not watch.is_gone(ELSEWHERE, tmp_path / "none")
    wait_for(lambda: watch.is_gone(ELSEWHERE, tmp_path / "none"))


def test_a_trial_claimed_by_nobody_who_said_so_is_given_up_soon(tmp_path: Path) -> None:
    watch = HeartbeatMonitor(silence=1.0)
    assert not watch.is_gone({}, tmp_path / "none")
    wait_for(lambda: watch.is_gone({}, tmp_path / "none"))


def test_a_heartbeat_ends_with_its_block(tmp_path: Path) -> None:
    with keep_heartbeat(tmp_path / "beat", 0.01):
        wait_for(lambda: (tmp_path / "beat").exists())
        first = (tmp_path / "beat").read_text()
        wait_for(lambda: (tmp_path / "beat").read_text() not in ("", first))
    assert not (tmp_path / "beat").exists()


def test_a_folder_that_vanishes_does_not_end_what_beats(tmp_path: Path) -> None:
    with keep_heartbeat(tmp_path / "none" / "beat", 0.01):
        time.sleep(0.05)
