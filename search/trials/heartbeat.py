"""Whether what works on a trial lives: process ids on this host, heartbeats from any."""

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
# Between the moment a trial is claimed and the moment it says by whom.
_NAMELESS_SECONDS = 5.0


def process_attributes() -> dict[str, Any]:
    """Attributes that say which process works on a trial, and which process started that."""
    return {HOST: socket.gethostname(), PID: os.getpid(), PARENT: os.getppid()}


def starter_name(attributes: Mapping[str, Any]) -> str:
    """Host and process that started the one they name."""
    return f"{attributes.get(HOST)}-{attributes.get(PARENT)}"


def this_starter() -> str:
    """This process, as :func:`starter_name` calls it."""
    return f"{socket.gethostname()}-{os.getpid()}"


def is_child(attributes: Mapping[str, Any]) -> bool:
    """Whether the process they name was started by this one."""
    here = attributes.get(HOST) == socket.gethostname()
    return here and attributes.get(PARENT) == os.getpid()


def is_dead_here(attributes: Mapping[str, Any]) -> bool:
    """Whether the process they name ran on this host and is no more."""
    pid = attributes.get(PID)
    return attributes.get(HOST) == socket.gethostname() and pid is not None and not _alive(pid)


@contextlib.contextmanager
def keep_heartbeat(path: Path, seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """Keep a heartbeat in a file from a thread of this process; the file is gone afterwards.

    It counts, so that who reads it needs no clock in common with who writes it, and reads it
    rather than looks at its time, which network file systems keep for a while.
    """
    stop = threading.Event()

    def beat() -> None:
        count = 0
        while True:
            # A full disk is for the trial to tell.
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
    """What a heartbeat last said, and when on our own clock it was first heard to say so."""

    beat: str
    since: float


class HeartbeatMonitor:
    """Judges by heartbeats who has fallen silent, on its own monotonic clock alone.

    Args:
        silence: seconds without a new beat after which the process is taken for dead.
    """

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._seen: dict[Path, _Seen] = {}

    def is_gone(self, attributes: Mapping[str, Any], heartbeat: Path) -> bool:
        """Whether the process with these attributes is dead, as far as one can tell."""
        if is_dead_here(attributes):
            return True
        patience = self._silence if PID in attributes else min(_NAMELESS_SECONDS, self._silence)
        return self._silent_for(heartbeat) > patience

    def living(self, folder: Path) -> list[Path]:
        """The heartbeats in a folder that still beat."""
        return [path for path in folder.glob("*") if self._silent_for(path) <= self._silence]

    def _silent_for(self, heartbeat: Path) -> float:
        """Seconds since a beat was heard that had not been heard before."""
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
