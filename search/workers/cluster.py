"""Trials on the workers of a Dask cluster, which see the run directory under the same name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from data_prep.errors import UserError
from data_prep.workers import dask_client, silent_dask_logs
from search.workers.crew import IsWorn, WorkerDiedError, never_worn


class ClusterWorkers:
    """The current workers of a Dask cluster.

    Calls are submitted to Dask's own client. Joblib's backend for it needs all calls at once, and
    waits for ever if the scheduler goes away. Dask repeats a call whose worker dies on another
    worker, which claims a waiting trial. The trial of the dead worker falls silent.

    Args:
        address: Address of the scheduler, such as ``tcp://10.0.0.1:8786``.

    Raises:
        UserError: Dask is not installed, the address does not answer, there is no worker, or one
            of them runs several calls in one process.
    """

    is_here = False

    def __init__(self, address: str) -> None:
        self._address = address
        self._held = contextlib.ExitStack()
        with contextlib.ExitStack() as opening:
            opening.enter_context(silent_dask_logs())
            self._client = opening.enter_context(dask_client(address))
            if max(self._client.nthreads().values()) > 1:
                raise UserError(
                    f"workers of {address} have several threads, and a trial needs a process of "
                    f"its own: dask worker {address} --nthreads 1"
                )
            self._calls = self._client.get_executor(pure=False)
            self._held = opening.pop_all()

    def slots(self) -> int:
        """Return the number of workers now, at least one, so that a new one may come.

        Raises:
            UserError: The scheduler is gone.
        """
        try:
            return max(1, len(self._client.nthreads()))
        except (OSError, RuntimeError, ValueError):
            raise self._gone() from None

    def submit(self, call: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Start an importable call in a free worker."""
        future: Future[Any] = self._calls.submit(_call_with_address, call, *arguments)
        return future

    def collect(self, future: Future[Any], is_worn: IsWorn = never_worn) -> Any:
        """Return the result of a call; see :meth:`search.workers.crew.Crew.collect`.

        Raises:
            UserError: The scheduler is gone.
        """
        from distributed import CancelledError as Cancelled
        from distributed import KilledWorker

        try:
            address, result = future.result()
        except KilledWorker as error:
            raise WorkerDiedError(str(error).splitlines()[0]) from None
        except (Cancelled, CancelledError):
            raise self._gone() from None
        if is_worn(result):
            # A worker without a nanny cannot be restarted.
            with contextlib.suppress(Exception):
                self._client.restart_workers([address], raise_for_error=False)
        return result

    def close(self, *, kill: bool = False) -> None:
        """Leave the cluster. Its workers stay and finish their calls."""
        self._held.close()

    def _gone(self) -> UserError:
        return UserError(
            f"the cluster at {self._address} has stopped; finished trials are kept; to resume, "
            "repeat the command"
        )


def _call_with_address(call: Callable[..., Any], *arguments: object) -> tuple[str, Any]:
    """Make a call in a worker; return the address of the worker and the result."""
    from distributed import get_worker

    return get_worker().address, call(*arguments)
