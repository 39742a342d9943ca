"""Worker processes: how they behave towards what started them, and a cluster of them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

from data_prep.errors import UserError
from data_prep.text import one_line

_POLL_SECONDS = 0.5
_CONNECT_SECONDS = 10


def follow_parent(parent: int) -> None:
    """Call in a new worker: it leaves interrupts to its parent and ends when the parent ends.

    Without this a worker outlives a killed run, holds its pipes open and works for nobody.

    Args:
        parent: process id of the process that started this one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextlib.contextmanager
def dask_client(address: str) -> Iterator[None]:
    """Connect to a Dask cluster; joblib's backend ``dask`` uses it meanwhile.

    Args:
        address: of its scheduler, such as ``tcp://10.0.0.1:8786``.

    Raises:
        UserError: Dask is not installed, nobody answers at the address, or it has no worker.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            "a cluster needs Dask: pip install 'deepfake-model-search[cluster]'"
        ) from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=True)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"no Dask scheduler at {address}: {one_line(str(error))}") from None
    with client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise UserError(
                f"the cluster at {address} has no worker; start some: dask worker {address} "
                "--nthreads 1"
            )
        yield
