"""Worker processes of this machine, each with an executor of its own."""

from __future__ import annotations

import concurrent.futures
import os
import re
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import joblib
from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.process_executor import ProcessPoolExecutor

from data_prep.workers import follow_parent, start_safely
from search.workers.crew import IsWorn, WorkerDiedError, never_worn

_IDLE_SECONDS = 600


class LocalWorkers:
    """Processes of this machine.

    Each has an executor of its own, so that a killed process does not end the others. A single
    worker is a process too: TensorFlow stays out of the caller, and a crash does not end it.
    Workers keep their imports for the next call and end with this process.

    Args:
        count: Number of processes, which share the cores.
    """

    is_here = True

    def __init__(self, count: int) -> None:
        threads = str(max(1, joblib.cpu_count() // count))
        self._environment = {
            "PYTHONSAFEPATH": "1",
            "OMP_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_NUM_INTEROP_THREADS": threads,
        }
        # Executors of one process each, started when first needed.
        self._idle: list[_Process | None] = [None] * count
        self._busy: dict[Future[Any], _Process] = {}
        self._count = count

    def slots(self) -> int:
        """Return the number of processes."""
        return self._count

    def submit(self, call: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Start an importable call in a free process, the last used one first."""
        executor = self._idle.pop() or self._start()
        try:
            future: Future[Any] = executor.submit(call, *arguments)
        except BrokenProcessPool:
            # Killed while it had nothing to do, which costs nothing.
            executor.kill()
            executor = self._start()
            future = executor.submit(call, *arguments)
        self._busy[future] = executor
        return future

    def collect(self, future: Future[Any], is_worn: IsWorn = never_worn) -> Any:
        """Return the result of a call; see :meth:`search.workers.crew.Crew.collect`."""
        concurrent.futures.wait([future])
        executor = self._busy.pop(future)
        try:
            result = future.result()
        except BrokenProcessPool as error:
            executor.kill()
            self._idle.append(None)
            raise WorkerDiedError(_describe_end(error)) from error
        except Exception:
            self._idle.append(executor)
            raise
        if is_worn(result):
            executor.shutdown(wait=True)
        self._idle.append(None if is_worn(result) else executor)
        return result

    def close(self, *, kill: bool = False) -> None:
        """End the processes; with ``kill`` also in the middle of a call."""
        for executor in self._busy.values():
            executor.kill() if kill else executor.shutdown(wait=True)
        for executor in filter(None, self._idle):
            executor.shutdown(wait=True)
        self._busy.clear()
        self._idle = [None] * self._count

    def _start(self) -> _Process:
        # Workers that have grown are replaced between two calls, which is meant and loses nothing.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
        return _Process(
            1,
            timeout=_IDLE_SECONDS,
            initializer=follow_parent,
            initargs=(os.getpid(),),
            env=self._environment,
        )


class _Process(ProcessPoolExecutor):
    """An executor of one process, which may be killed."""

    def submit(self, call: Callable[..., Any], *arguments: object) -> Future[Any]:
        with start_safely():
            future: Future[Any] = super().submit(call, *arguments)
        self._ids = list(self._processes)
        return future

    def kill(self) -> None:
        """End the process at once, and remove the locks that it would have removed at its end.

        Libraries make some where they are imported; each would be reported as leaked.
        """
        self.shutdown(wait=True, kill_workers=True)
        for pid in self._ids:
            for lock in Path("/dev/shm").glob(f"sem.loky-{pid}-*"):
                lock.unlink(missing_ok=True)
                resource_tracker.unregister(lock.name.replace("sem.", "/", 1), "semlock")


def _describe_end(error: BrokenProcessPool) -> str:
    """Describe how a worker ended."""
    codes = re.search(r"exit codes? of the workers? (?:is|are) \{([^}]*)\}", str(error))
    if codes is None:
        return str(error).splitlines()[0]
    code = codes[1]
    return f"{code}, which a lack of memory causes, too" if "SIGKILL" in code else code
