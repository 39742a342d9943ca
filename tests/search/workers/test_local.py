from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import psutil
import pytest

from search.workers.crew import WorkerDiedError
from search.workers.local import LocalWorkers


def square(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise ValueError("of its own")


def sleep() -> None:
    time.sleep(600)


def imported() -> bool:
    return "tensorflow" in sys.modules


MakeWorkers = Callable[[int], LocalWorkers]


@pytest.fixture
def make_workers() -> Iterator[MakeWorkers]:
    """Make workers that are ended with the test: ``make_workers(count)``."""
    made: list[LocalWorkers] = []

    def make(count: int) -> LocalWorkers:
        made.append(LocalWorkers(count))
        return made[-1]

    yield make
    for workers in made:
        workers.close(kill=True)


def squares(workers: LocalWorkers, numbers: range) -> list[tuple[int, int]]:
    """Squares and who computed them, as many at a time as there are places."""
    waiting, found = list(numbers), []
    running: set[concurrent.futures.Future[tuple[int, int]]] = set()
    while waiting or running:
        while waiting and len(running) < workers.slots():
            running.add(workers.submit(square, waiting.pop()))
        done, running = concurrent.futures.wait(running, return_when="FIRST_COMPLETED")
        found += [workers.collect(future) for future in done]
    return found


@pytest.mark.parametrize("count", [1, 2])
def test_every_call_runs_once_outside_this_process(make_workers: MakeWorkers, count: int) -> None:
    results = squares(make_workers(count), range(7))
    assert sorted(value for value, _ in results) == [n**2 for n in range(7)]
    pids = {pid for _, pid in results}
    assert os.getpid() not in pids
    assert len(pids) <= count


def test_a_killed_worker_is_told_apart_takes_no_other_along_and_is_replaced(
    make_workers: MakeWorkers,
) -> None:
    workers = make_workers(2)
    other, dead = workers.submit(sleep), workers.submit(die)
    with pytest.raises(WorkerDiedError, match="SIGKILL"):
        workers.collect(dead)
    assert workers.collect(workers.submit(square, 3))[0] == 9
    assert other.running()


def test_a_worker_killed_while_it_waits_is_replaced_and_costs_nothing(
    make_workers: MakeWorkers,
) -> None:
    workers = make_workers(1)
    _, pid = workers.collect(workers.submit(square, 2))
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=60)
    # Until the executor knows of it a call would be told as one whose worker died.
    while not workers._idle[0]._flags.broken:
        time.sleep(0.01)
    value, other = workers.collect(workers.submit(square, 3))
    assert value == 9
    assert other != pid


def test_joblib_may_come_before_and_after_in_one_process(make_workers: MakeWorkers) -> None:
    workers = make_workers(1)
    for number in range(2):
        with joblib.Parallel(2) as parallel:
            assert parallel(joblib.delayed(abs)(-n) for n in range(3)) == [0, 1, 2]
        assert workers.collect(workers.submit(square, number))[0] == number**2
    workers.close()
    assert joblib.Parallel(2)(joblib.delayed(abs)(-n) for n in range(3)) == [0, 1, 2]


def test_an_error_of_the_call_comes_through_and_its_worker_stays(make_workers: MakeWorkers) -> None:
    workers = make_workers(1)
    (_, before), *_ = squares(workers, range(1))
    with pytest.raises(ValueError, match="of its own"):
        workers.collect(workers.submit(fail))
    assert squares(workers, range(1)) == [(0, before)]


def test_a_worn_worker_is_ended_and_another_takes_its_place(make_workers: MakeWorkers) -> None:
    workers = make_workers(1)
    _, before = workers.collect(workers.submit(square, 1), lambda result: result[0] == 1)
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    _, after = workers.collect(workers.submit(square, 2), lambda result: result[0] == 1)
    assert before != after
    assert squares(workers, range(1)) == [(0, after)]


def test_closing_ends_the_processes_also_in_the_middle_of_a_call(
    make_workers: MakeWorkers,
) -> None:
    workers = make_workers(2)
    _, idle = workers.collect(workers.submit(square, 1))
    begun = workers.submit(sleep)
    while not begun.running():
        time.sleep(0.01)
    workers.close(kill=True)
    with pytest.raises(ProcessLookupError):
        os.kill(idle, 0)
    assert begun.done()


def test_a_worker_begins_without_tensorflow(make_workers: MakeWorkers) -> None:
    workers = make_workers(1)
    assert workers.collect(workers.submit(imported)) is False


def lock_and_sleep(here: str) -> None:
    """Make a lock as libraries do where they are imported, and never come to an end."""
    lock = multiprocessing.get_context("loky").Lock()
    Path(here).touch()
    with lock:
        time.sleep(600)


def test_the_locks_of_a_killed_worker_are_not_reported_as_leaked(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "from search.workers.local import LocalWorkers; from test_local import lock_and_sleep\n"
        "workers = LocalWorkers(1); workers.submit(lock_and_sleep, sys.argv[2])\n"
        "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.05)\n"
        "workers.close(kill=True)"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "here")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "leaked" not in done.stderr
