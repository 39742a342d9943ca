"""Worker processes of one machine and of a cluster."""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing.resource_tracker
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, TypeVar

from data_prep.errors import UserError
from data_prep.text import one_line

_POLL_SECONDS = 0.5
_CONNECT_SECONDS = 10
# Calls that wait for every thread of a cluster, so that none is idle between two.
_AHEAD = 3
_NO_DASK = "a cluster needs Dask: pip install 'deepfake-model-search[cluster]'"
_SAFE_PATH = "PYTHONSAFEPATH"
_RESUME = "finished work is kept; repeat the command to resume"

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextlib.contextmanager
def start_safely() -> Iterator[None]:
    """Start Python processes inside the block that import nothing from the current folder.

    Python puts that folder first on the path of a worker, so a ``random.py`` there would replace
    the standard library's.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        _start_trackers()
        yield
    finally:
        del os.environ[_SAFE_PATH]
        if before is not None:
            os.environ[_SAFE_PATH] = before


def _start_trackers() -> None:
    """Start the processes that clean up after workers, so that they survive a closed terminal.

    They ignore the other signals by themselves. Only the main thread may set signals.
    """
    from joblib.externals.loky.backend import resource_tracker

    hang_up = getattr(signal, "SIGHUP", None)
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(hang_up, signal.SIG_IGN) if hang_up and is_main else None
    try:
        resource_tracker.ensure_running()
        multiprocessing.resource_tracker.ensure_running()
    finally:
        if hang_up and is_main:
            signal.signal(hang_up, before)


def in_workers(jobs: int, calls: Iterable[Any], **options: Any) -> Generator[Any]:
    """Yield the results of calls by workers of this process, in the order of finishing.

    To end the workers on an interrupt, close the generator.

    Args:
        jobs: Number of workers.
        calls: Calls of ``joblib.delayed``.
        **options: Further options of ``joblib.Parallel``.
    """
    # Here, so that a worker starts without it.
    import joblib

    with start_safely():
        with joblib.parallel_config(
            backend="loky",
            inner_max_num_threads=1,
            initializer=follow_parent,
            initargs=(os.getpid(),),
        ):
            parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", **options)
            outcomes = parallel(calls)
        try:
            # "yield from" would close the outcomes before the warning below is silenced.
            for outcome in outcomes:  # noqa: UP028
                yield outcome
        finally:
            with warnings.catch_warnings():
                # On an interrupt joblib warns of the tasks it drops; they are meant to be dropped.
                warnings.simplefilter("ignore")
                outcomes.close()


def follow_parent(parent: int) -> None:
    """Call in a new worker: it leaves signals to its parent and ends when the parent ends.

    A terminal and a service manager send signals to a whole group of processes. If a worker died of
    one, its work would count as failed, not as interrupted. If it outlived a killed run, it would
    hold its pipes open and work without a purpose. Warnings of libraries never become errors in
    it, whatever the parent was started with.

    Args:
        parent: process id of the process that started this one.
    """
    for signal_name in ("SIGINT", "SIGTERM", "SIGHUP"):
        # Windows has no SIGHUP.
        if number := getattr(signal, signal_name, None):
            signal.signal(number, signal.SIG_IGN)
    if sys.warnoptions:
        warnings.simplefilter("ignore")

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def run_on_cluster(
    address: str, call: Callable[[Item], Result], items: Iterable[Item]
) -> Generator[Result]:
    """Call an importable function on every item, on a Dask cluster, in the order of finishing.

    Slightly more calls than threads wait at the scheduler, for any number of items. If a worker
    dies, its call is made again on another. Dask's own client is used because joblib's backend for
    it hangs when the scheduler stops.

    Args:
        address: address of the scheduler, such as ``tcp://10.0.0.1:8786``.
        call: importable function, known to the workers under the same name.
        items: arguments.

    Raises:
        UserError: Dask is not installed, no scheduler answers, there is no worker, the scheduler
            stops, or workers die with every task.
    """
    try:
        from distributed import CancelledError, KilledWorker, as_completed
    except ImportError:
        raise UserError(_NO_DASK) from None
    waiting = iter(items)
    with silent_dask_logs(), dask_client(address) as client:
        ahead = _AHEAD * sum(client.nthreads().values())
        running = as_completed(
            [client.submit(call, item, pure=False) for item in itertools.islice(waiting, ahead)],
            loop=client.loop,
        )
        try:
            for future in running:
                result = future.result()
                for item in itertools.islice(waiting, 1):
                    running.add(client.submit(call, item, pure=False))
                yield result
        except CancelledError:
            raise UserError(f"the cluster at {address} has stopped; {_RESUME}") from None
        except KilledWorker:
            raise UserError(
                f"the workers of {address} keep dying; read their logs. {_RESUME}"
            ) from None


@contextlib.contextmanager
def dask_client(address: str) -> Iterator[Any]:
    """Yield a client of a Dask cluster, closed after the block.

    Raises:
        UserError: Dask is not installed, no scheduler answers, or there is no worker.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UserError(_NO_DASK) from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"no Dask scheduler at {address}: {one_line(str(error))}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        except TimeoutError:
            raise UserError(
                f"the cluster at {address} has no workers; start some: dask worker {address} "
                "--nthreads 1"
            ) from None
        yield client


@contextlib.contextmanager
def silent_dask_logs() -> Iterator[None]:
    """Silence the logs of Dask, which have a traceback for errors reported in one line here."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
