"""How every worker process of this project behaves towards the process that started it."""

from __future__ import annotations

import os
import signal
import threading
import time

_POLL_SECONDS = 0.5


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
