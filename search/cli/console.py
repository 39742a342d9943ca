"""Progress on a terminal: bars with the time left, a live table, a line a trial."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.text import Text

from artifacts.run_directory import RunDirectory
from data_prep.text import visible, visible_lines
from search.cli.app import print_log
from search.cli.live_table import LiveProgress
from search.workers.progress import LogProgress, RunProgress


class VisibleConsole(Console):
    """A console that prints characters of names that act on a terminal as escapes."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of an object; only those of Rich itself control the terminal."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(visible_lines(text), style)


log = VisibleConsole(stderr=True, highlight=False)


def cell(text: str, style: str = "") -> Text:
    """Return a text from outside for a table or a line: in one line and without markup."""
    return Text(visible(text), style)


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
    """Return a console on standard output; in a file or a pipe its lines are 120 wide."""
    return VisibleConsole(width=None if sys.stdout.isatty() else 120, highlight=False)


@contextlib.contextmanager
def bars(*descriptions: str) -> Iterator[list[Callable[[int, int], None]]]:
    """Show bars on standard error; yield a callback for each, called with (done, total).

    A bar and its clock appear with the first call.
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
def work_bars(*works: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show bars on standard error; yield one callback, called with (work, done, total)."""
    with bars(*works) as updates:
        update = dict(zip(works, updates, strict=True))
        yield lambda work, done, total: update[work](done, total)


@contextlib.contextmanager
def run_progress(run_dir: Path | None = None) -> Iterator[RunProgress]:
    """Show the progress of a run on standard error: a line a trial; on a terminal, a live table.

    Args:
        run_dir: Folder of the run, for the table.
    """
    if run_dir is None or not log.is_terminal:
        with print_log():
            yield LogProgress()
        return
    progress = LiveProgress(log, RunDirectory(run_dir))
    with Live(get_renderable=progress.render, console=log, refresh_per_second=2, transient=True):
        yield progress
