"""Work spread over processes, with joblib."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

Result = TypeVar("Result")


class WorkerDiedError(Exception):
    """A worker process ended in the middle of its work: killed, or out of memory."""


def fan_out(
    tasks: Iterable[tuple[Callable[..., Result], tuple[object, ...]]], workers: int
) -> Iterator[Result]:
    """Run calls in worker processes and yield their results as they come.

    Processes, one worker included: TensorFlow stays out of the caller, and what crashes there
    does not crash here.

    Args:
        tasks: importable functions with their arguments.
        workers: processes at a time.

    Raises:
        WorkerDiedError: a worker was killed; calls in flight are lost, the caller starts them anew.
    """
    pool = joblib.Parallel(
        n_jobs=workers, backend="loky", return_as="generator_unordered", pre_dispatch="n_jobs"
    )
    try:
        yield from pool(joblib.delayed(call)(*arguments) for call, arguments in tasks)
    except BrokenProcessPool as error:
        raise WorkerDiedError(str(error).splitlines()[0]) from error


def replace_workers(*, kill: bool = False) -> None:
    """End the worker processes; the next fan-out starts fresh ones."""
    get_reusable_executor().shutdown(wait=True, kill_workers=kill)
