from __future__ import annotations

import os
import signal
import sys
import time

import joblib
import pytest

from search.fan_out import WorkerDiedError, fan_out, replace_workers


def square(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise ValueError("of its own")


def imported() -> bool:
    return "tensorflow" in sys.modules


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_runs_once_outside_this_process(workers: int) -> None:
    results = list(fan_out([(square, (n,)) for n in range(7)], workers))
    assert sorted(value for value, _ in results) == [n**2 for n in range(7)]
    pids = {pid for _, pid in results}
    assert os.getpid() not in pids
    assert len(pids) <= workers


def test_a_killed_worker_is_told_apart_and_the_next_call_works() -> None:
    with pytest.raises(WorkerDiedError):
        list(fan_out([(die, ())], 1))
    assert next(iter(fan_out([(square, (3,))], 1)))[0] == 9


def test_joblib_may_come_before_and_after_in_one_process() -> None:
    for number in range(2):
        with joblib.Parallel(2) as parallel:
            assert parallel(joblib.delayed(abs)(-n) for n in range(3)) == [0, 1, 2]
        assert next(iter(fan_out([(square, (number,))], 1)))[0] == number**2
    replace_workers()
    assert joblib.Parallel(2)(joblib.delayed(abs)(-n) for n in range(3)) == [0, 1, 2]


def test_an_error_of_the_task_comes_through() -> None:
    with pytest.raises(ValueError, match="of its own"):
        list(fan_out([(fail, ())], 1))


def test_replaced_workers_are_other_processes() -> None:
    (_, before), *_ = fan_out([(square, (1,))], 1)
    replace_workers()
    (_, after), *_ = fan_out([(square, (1,))], 1)
    assert before != after
    with pytest.raises(ProcessLookupError):
        for _ in range(50):
            os.kill(before, 0)
            time.sleep(0.1)


def test_a_worker_begins_without_tensorflow() -> None:
    replace_workers()
    assert list(fan_out([(imported, ())], 1)) == [False]
