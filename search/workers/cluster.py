"""Trials on the workers of a Dask cluster, which see the run directory under the same name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from data_prep.errors import UserError
from data_prep.workers import dask_client, silent_dask_logs
from search.workers.crew import IsWorn, WorkerDiedError, never


class ClusterWorkers:
    """The workers of a Dask cluster, as many as there are at the time.

    Calls are submitted to Dask's own client: joblib's backend for it wants to be given all calls at
    once, and waits for ever when the scheduler goes away. A call whose worker dies is made again on
    another by Dask, and then claims what waits by then; the trial it had is found silent.

    Args:
        address: of the scheduler, such as ``tcp://10.0.0.1:8786``.

    Raises:
        UserError: Dask is not installed, nobody answers at the address, there is no worker, or one
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

    def places(self) -> int:
        """How many workers there are now, and one where all have left, so that one may come.

        Raises:
            UserError: the scheduler is gone.
        """
        try:
            return max(1, len(self._client.nthreads()))
        except (OSError, RuntimeError, ValueError):
            raise self._gone() from None

    def submit(self, call: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Begin an importable call in a worker that is free."""
        future: Future[Any] = self._calls.submit(_told, call, *arguments)
        return future

    def collect(self, future: Future[Any], is_worn: IsWorn = never) -> Any:
        """What a call returned; see :meth:`search.workers.crew.Crew.collect`.

        Raises:
            UserError: the scheduler is gone.
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
            # Of a worker without a nanny there is nothing that could start another.
            with contextlib.suppress(Exception):
                self._client.restart_workers([address], raise_for_error=False)
        return result

    def close(self, *, kill: bool = False) -> None:
        """Leave the cluster, whose workers stay; what they are in the middle of, they finish."""
        self._held.close()

    def _gone(self) -> UserError:
        return UserError(
            f"the cluster at {self._address} is gone; what is finished is kept, and the same "
            "command goes on"
        )


def _told(call: Callable[..., Any], *arguments: object) -> tuple[str, Any]:
    """Make a call in a worker, and say which it was."""
    from distributed import get_worker

    return get_worker().address, call(*arguments)
