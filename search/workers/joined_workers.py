"""Heartbeat files of workers that joined a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from artifacts.run_directory import RunDirectory
from search.trials.heartbeat import HeartbeatMonitor, keep_heartbeat, this_starter

_FOLDER = "workers"


@contextlib.contextmanager
def announce_worker(directory: RunDirectory, seconds: float) -> Iterator[None]:
    """Keep the heartbeat file of this worker in the run directory while the block runs.

    Args:
        directory: Run directory.
        seconds: Time between two heartbeats.
    """
    folder = directory.root / _FOLDER
    folder.mkdir(exist_ok=True)
    with keep_heartbeat(folder / this_starter(), seconds):
        yield


def list_joined_workers(directory: RunDirectory, monitor: HeartbeatMonitor) -> set[str]:
    """Return the joined workers, see :func:`search.trials.heartbeat.starter_name`."""
    return {path.name for path in monitor.living(directory.root / _FOLDER)}
