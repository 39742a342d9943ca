"""Work spread over processes, on joblib's executor."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import joblib
from joblib.executor import get_memmapping_executor

from data_prep.workers import follow_parent

Result = TypeVar("Result")

_IDLE_SECONDS = 600

# The executor with the workers of the last call, if there is one.
_pools: list[Any] = []


class WorkerDiedError(Exception):
    """A worker process ended in the middle of its work: killed, or out of memory."""


def fan_out(
    tasks: Iterable[tuple[Callable[..., Result], tuple[object, ...]]], workers: int
) -> Iterator[Result]:
    """Run calls in worker processes and yield their results as they come.

    One worker is a process too, so the executor is used and not ``joblib.Parallel``, which runs a
    single job in the calling process: TensorFlow stays out of the caller, and what crashes there
    does not crash here. Workers stay for the next call, with what they have imported.

    Args:
        tasks: importable functions with their arguments; taken when a worker is free.
        workers: calls at a time; the cores are shared out among them.

    Raises:
        WorkerDiedError: a worker was killed; calls in flight are lost, the caller starts them anew.
    """
    executor = _executor(workers)
    waiting = iter(tasks)
    running = {executor.submit(call, *args) for call, args in itertools.islice(waiting, workers)}
    try:
        while running:
            done, running = concurrent.futures.wait(running, return_when="FIRST_COMPLETED")
            for future in done:
                result = future.result()
                running |= {
                    executor.submit(call, *args) for call, args in itertools.islice(waiting, 1)
                }
                yield result
    except BrokenProcessPool as error:
        raise WorkerDiedError(str(error).splitlines()[0]) from error


def replace_workers(*, kill: bool = False) -> None:
    """End the worker processes, at once or when idle; the next fan-out starts fresh ones."""
    if _pools:
        _pools.pop().shutdown(wait=True, kill_workers=kill)


def _executor(workers: int) -> Any:
    # Workers that have grown are replaced between two calls, which is meant and loses nothing.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
    threads = str(max(1, joblib.cpu_count() // workers))
    # The very executor of joblib.Parallel, so that either may come after the other in a process.
    pool = get_memmapping_executor(
        workers,
        timeout=_IDLE_SECONDS,
        initializer=follow_parent,
        initargs=(os.getpid(),),
        env={
            "OMP_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_NUM_INTEROP_THREADS": threads,
        },
    )
    _pools[:] = [pool]
    return pool
