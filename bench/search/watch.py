"""A process and its children, watched: what they take of memory, and what they have written."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import psutil

Event: TypeAlias = "dict[str, Any]"

MOST = 0.9
"""Of the machine's memory; what takes more is ended before the machine ends something else."""

_LOOK_EVERY = 0.2
_GRACE_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class Watched:
    """What became of a process.

    Attributes:
        events: what it has written, in order.
        seconds: it lasted.
        peak: most resident memory of it and its children at one moment, in bytes; a page
            that several processes share is divided among them, where the system tells (PSS).
        own_peak: the same without pages of files, which the system takes back when it needs them.
        ended: empty where it ended by itself and well, else how.
    """

    events: list[Event]
    seconds: float
    peak: int
    own_peak: int
    ended: str


def watched(
    command: Sequence[str],
    events: Path,
    *,
    enough: Callable[[list[Event], float], bool] = lambda events, seconds: False,
    most: float = MOST,
) -> Watched:
    """Run Python until it ends, has done enough, or takes too much memory.

    Args:
        command: arguments of the interpreter.
        events: the file it writes to, a JSON object a line.
        enough: told what has been written and for how many seconds it runs, whether to stop it.
        most: share of the machine's memory it may take.
    """
    limit = most * psutil.virtual_memory().total
    errors = events.with_suffix(".stderr")
    started = time.monotonic()
    peak = own_peak = 0
    ended = ""
    with errors.open("w") as said:
        process = psutil.Popen(
            [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=said, text=True
        )
        try:
            while process.poll() is None:
                resident, own = _memory(process)
                peak, own_peak = max(peak, resident), max(own_peak, own)
                if own > limit:
                    ended = f"stopped at {own / 1e9:.1f} GB: the machine has no more"
                    break
                if enough(written(events), time.monotonic() - started):
                    break
                time.sleep(_LOOK_EVERY)
            else:
                ended = _told(process.returncode, errors)
        finally:
            _end(process)
    return Watched(written(events), time.monotonic() - started, peak, own_peak, ended)


def written(events: Path) -> list[Event]:
    """The whole lines of a file of events."""
    if not events.exists():
        return []
    text = events.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def _memory(process: psutil.Popen) -> tuple[int, int]:
    """Resident bytes of a process and its children, and those that are no pages of files."""
    resident = own = 0
    for one in _tree(process):
        try:
            memory = one.memory_full_info()
        except psutil.Error:
            continue
        resident += getattr(memory, "pss", memory.rss)
        own += memory.rss - getattr(memory, "shared", 0)
    return resident, own


def _tree(process: psutil.Popen) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _told(code: int, errors: Path) -> str:
    if code == 0:
        return ""
    if code < 0:
        return f"killed by signal {-code}"
    lines = [line for line in errors.read_text(errors="replace").splitlines() if line.strip()]
    return f"exit code {code}: {lines[-1][:200] if lines else 'no word'}"


def _end(process: psutil.Popen) -> None:
    """End a process with its children, at once."""
    living = [one for one in _tree(process) if one.is_running()]
    for one in living:
        try:
            one.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(living, timeout=_GRACE_SECONDS)
