"""What a person sees while long work goes on: bars with time left, and a line a trial."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from search.trial import TrialOutcome

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
def run_progress() -> Iterator[RunProgress]:
    """Bars and lines of a search on standard error."""
    with _progress() as shown:
        yield RunProgress(shown)


class RunProgress:
    """Tells on a terminal how a run goes; see :class:`search.run.Progress`."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = TaskID(0)
        self._stage = ""
        self._best: float | None = None

    def stage(self, name: str, done: int, total: int) -> None:
        """Begin the bar of a stage, or bring it up to date."""
        if name != self._stage:
            self._stage, self._best = name, None
            self._task = self._bars.add_task(f"{name} search", total=total, note="")
        self._bars.update(self._task, completed=done, total=total)

    def trial(self, outcome: TrialOutcome) -> None:
        """Print a line for a finished trial and move the bar on."""
        name = "KID" if outcome.stage == "gan" else "score"
        text = f"{outcome.stage} {outcome.number}: {outcome.state}"
        if outcome.value is not None:
            text += f", {name} {outcome.value:.3f}"
            better = min if outcome.stage == "gan" else max
            self._best = outcome.value if self._best is None else better(self._best, outcome.value)
        if outcome.reason:
            text += f", {outcome.reason}"
        log.print(f"  {text}, {outcome.seconds:.0f} s", markup=False)
        note = "" if self._best is None else f"best {name} {self._best:.3f}"
        self._bars.update(self._task, advance=1, note=note)

    def message(self, text: str) -> None:
        """Print a line."""
        log.print(f"  {text}", markup=False)
