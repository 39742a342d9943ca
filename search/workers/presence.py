"""Workers that joined a run by themselves: each shows in the run directory that it is there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from artifacts.run_directory import RunDirectory
from search.trials.heartbeat import HeartbeatMonitor, keep_heartbeat, this_starter

_FOLDER = "workers"


@contextlib.contextmanager
def presented(directory: RunDirectory, seconds: float) -> Iterator[None]:
    """Show that a worker is there while the block runs.

    Args:
        directory: of the run.
        seconds: between two signs of life.
    """
    folder = directory.root / _FOLDER
    folder.mkdir(exist_ok=True)
    with keep_heartbeat(folder / this_starter(), seconds):
        yield


def present(directory: RunDirectory, watch: HeartbeatMonitor) -> set[str]:
    """Who is there, as :func:`search.trials.heartbeat.starter_name` calls them."""
    return {path.name for path in watch.living(directory.root / _FOLDER)}
