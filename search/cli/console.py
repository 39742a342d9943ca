"""What a person sees while long work goes on: bars with time left, a table, a line a trial."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from artifacts.run_directory import RunDirectory
from artifacts.stages import Stage
from search.cli.live_table import LiveProgress, told
from search.trials.trial import TrialOutcome

log = Console(stderr=True, highlight=False)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}"),
        console=log,
    )


def tables() -> Console:
    """Standard output; into a file or a pipe, lines may be as long as tables need."""
    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


@contextlib.contextmanager
def bars(*descriptions: str) -> Iterator[list[Callable[[int, int], None]]]:
    """Bars on standard error; yields for each what to call with (done, total).

    A bar is seen, and its time runs, from the first call on.
    """
    with _progress() as shown:

        def updated(description: str) -> Callable[[int, int], None]:
            task = shown.add_task(description, start=False, visible=False, total=None, note="")

            def update(done: int, total: int) -> None:
                shown.start_task(task)
                shown.update(task, completed=done, total=total, visible=True)

            return update

        yield [updated(description) for description in descriptions]


@contextlib.contextmanager
def run_progress(run_dir: Path | None = None) -> Iterator[LiveProgress | LineProgress]:
    """How a search goes, on standard error: a line a trial, and a live table on a terminal.

    Args:
        run_dir: of the run, for the table.
    """
    if run_dir is None or not log.is_terminal:
        yield LineProgress()
        return
    progress = LiveProgress(log, RunDirectory(run_dir))
    with Live(get_renderable=progress.render, console=log, refresh_per_second=2, transient=True):
        yield progress


class LineProgress:
    """Tells in plain lines how a run goes; see :class:`search.workers.dispatch.Progress`."""

    def __init__(self) -> None:
        self._stage: Stage | None = None

    def stage(self, stage: Stage, ended: Sequence[TrialOutcome], total: int) -> None:
        """Say once that a stage begins."""
        if stage != self._stage:
            self._stage = stage
            log.print(f"{stage} search: {len(ended)} of {total} trials done", markup=False)

    def trial(self, outcome: TrialOutcome) -> None:
        """Print a line for a trial that ended."""
        log.print(f"  {told(outcome)}", markup=False)

    def running(self, numbers: Sequence[int]) -> None:
        """Say nothing of trials before they end."""

    def message(self, text: str) -> None:
        """Print a line."""
        log.print(f"  {text}", markup=False)
