"""Memory and events of a process and its children."""

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
"""Share of memory at which a process is killed, before the system kills another one."""

_LOOK_EVERY = 0.2
_GRACE_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class ProcessRecord:
    """Record of a finished process.

    Attributes:
        events: Events that it wrote, in order.
        seconds: Duration.
        peak: Peak resident memory of the process and its children, in bytes. Shared pages are
            divided among their processes (PSS) if the system reports it.
        own_peak: The same without file pages, which the system can reclaim.
        ended: Reason of an abnormal end; empty otherwise.
    """

    events: list[Event]
    seconds: float
    peak: int
    own_peak: int
    ended: str


def watch_process(
    command: Sequence[str],
    events: Path,
    *,
    enough: Callable[[list[Event], float], bool] = lambda events, seconds: False,
    most: float = MOST,
) -> ProcessRecord:
    """Run Python until it ends, has written enough events, or uses too much memory.

    Args:
        command: Arguments of the interpreter.
        events: File of its events, one JSON object a line.
        enough: Predicate on the events and the seconds so far; true stops the process.
        most: Share of the machine's memory it may use.
    """
    limit = most * psutil.virtual_memory().total
    errors = events.with_suffix(".stderr")
    started = time.monotonic()
    peak = own_peak = 0
    ended = ""
    with errors.open("w") as stream:
        process = psutil.Popen(
            [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=stream, text=True
        )
        try:
            while process.poll() is None:
                resident, own = _measure_memory(process)
                peak, own_peak = max(peak, resident), max(own_peak, own)
                if own > limit:
                    ended = f"killed at {own / 1e9:.1f} GB: out of memory"
                    break
                if enough(read_events(events), time.monotonic() - started):
                    break
                time.sleep(_LOOK_EVERY)
            else:
                ended = _describe_exit(process.returncode, errors)
        finally:
            _kill_tree(process)
    return ProcessRecord(read_events(events), time.monotonic() - started, peak, own_peak, ended)


def read_events(events: Path) -> list[Event]:
    """Return the events on complete lines of a file."""
    if not events.exists():
        return []
    text = events.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def _measure_memory(process: psutil.Popen) -> tuple[int, int]:
    """Return the resident bytes of a process and its children, with and without file pages."""
    resident = own = 0
    for one in _list_processes(process):
        try:
            memory = one.memory_full_info()
        except psutil.Error:
            continue
        resident += getattr(memory, "pss", memory.rss)
        own += memory.rss - getattr(memory, "shared", 0)
    return resident, own


def _list_processes(process: psutil.Popen) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _describe_exit(code: int, errors: Path) -> str:
    if code == 0:
        return ""
    if code < 0:
        return f"killed by signal {-code}"
    lines = [line for line in errors.read_text(errors="replace").splitlines() if line.strip()]
    return f"exit code {code}: {lines[-1][:200] if lines else 'no message'}"


def _kill_tree(process: psutil.Popen) -> None:
    """Kill a process and its children."""
    living = [one for one in _list_processes(process) if one.is_running()]
    for one in living:
        try:
            one.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(living, timeout=_GRACE_SECONDS)
