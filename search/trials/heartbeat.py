"""Signs of life of the processes that run trials: process ids on this host, heartbeats on any."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PID = "pid"
PARENT = "parent"
HOST = "host"
HEARTBEAT = "heartbeat"

BEAT_SECONDS = 3.0
# Longest time between the claim of a trial and the attributes of the claiming process.
_NAMELESS_SECONDS = 5.0


def process_attributes() -> dict[str, Any]:
    """Return attributes that name this process and the process that started it."""
    return {HOST: socket.gethostname(), PID: os.getpid(), PARENT: os.getppid()}


def starter_name(attributes: Mapping[str, Any]) -> str:
    """Return host and process that started the process that the attributes name."""
    return f"{attributes.get(HOST)}-{attributes.get(PARENT)}"


def this_starter() -> str:
    """Return this process in the form of :func:`starter_name`."""
    return f"{socket.gethostname()}-{os.getpid()}"


def is_child(attributes: Mapping[str, Any]) -> bool:
    """Return whether this process started the process that the attributes name."""
    here = attributes.get(HOST) == socket.gethostname()
    return here and attributes.get(PARENT) == os.getpid()


def is_dead_here(attributes: Mapping[str, Any]) -> bool:
    """Return whether the process that the attributes name ran on this host and has ended."""
    pid = attributes.get(PID)
    return attributes.get(HOST) == socket.gethostname() and pid is not None and not _alive(pid)


@contextlib.contextmanager
def keep_heartbeat(path: Path, seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """Write a heartbeat to a file from a thread of this process; remove the file at the end.

    The heartbeat is a counter, so readers and writers need no common clock. Readers compare its
    content, not its modification time, which network file systems cache.
    """
    stop = threading.Event()

    def beat() -> None:
        count = 0
        while True:
            # The trial itself reports a full disk.
            with contextlib.suppress(OSError):
                path.write_text(f"{count}\n")
            count += 1
            if stop.wait(seconds):
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        path.unlink(missing_ok=True)


@dataclasses.dataclass
class _Seen:
    """Last value of a heartbeat, and the time on our clock at which it was first read."""

    beat: str
    since: float


class HeartbeatMonitor:
    """Detection of silent processes by their heartbeats, on the monotonic clock of this process.

    Args:
        silence: Seconds without a new heartbeat after which a process counts as dead.
    """

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._seen: dict[Path, _Seen] = {}

    def is_gone(self, attributes: Mapping[str, Any], heartbeat: Path) -> bool:
        """Return whether the process with these attributes is dead or silent."""
        if is_dead_here(attributes):
            return True
        patience = self._silence if PID in attributes else min(_NAMELESS_SECONDS, self._silence)
        return self._silent_for(heartbeat) > patience

    def living(self, folder: Path) -> list[Path]:
        """Return the heartbeats in a folder that are not silent."""
        return [path for path in folder.glob("*") if self._silent_for(path) <= self._silence]

    def _silent_for(self, heartbeat: Path) -> float:
        """Return the seconds since a new heartbeat was last read."""
        try:
            beat = heartbeat.read_text()
        except OSError:
            beat = ""
        now = time.monotonic()
        seen = self._seen.get(heartbeat)
        if seen is None or seen.beat != beat:
            self._seen[heartbeat] = _Seen(beat, now)
            return 0.0
        return now - seen.since


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not stat.parent.parent.exists()
