"""The live table of a search on a terminal, which follows the running trials."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from artifacts.histories import HISTORY, read_history
from artifacts.run_directory import RunDirectory
from artifacts.stages import Stage
from data_prep.text import visible
from search.trials.trial import TrialOutcome
from search.workers.progress import outcome_line

_LEVELS = "▁▂▃▄▅▆▇█"


class LiveProgress:
    """Live table of a run; see :class:`search.workers.progress.RunProgress`.

    Every finished trial is a permanent line. Below, :meth:`render` draws the current state: the
    best value, the counts of pruned and failed trials, and the time left. Every running trial has
    its epoch, its last value and its curve, read from its ``history.csv``.

    Args:
        console: Console for the lines.
        run: Run with the histories.
        clock: Function that returns seconds.
    """

    def __init__(
        self, console: Console, run: RunDirectory, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._run = run
        self._clock = clock
        self._stage: Stage | None = None
        self._is_on = False
        self._total = self._done = self._before = 0
        self._began = clock()
        self._states: Counter[str] = Counter()
        self._running: tuple[int, ...] = ()
        self._best: TrialOutcome | None = None

    def stage(self, stage: Stage, ended: Sequence[TrialOutcome], total: int) -> None:
        """Begin a stage with the trials of earlier starts; a second call ends it."""
        self._is_on = stage != self._stage and len(ended) < total
        if stage != self._stage:
            self._stage, self._best, self._running = stage, None, ()
            self._states.clear()
            self._began, self._before = self._clock(), len(ended)
            for outcome in ended:
                self._count(outcome)
        self._done, self._total = len(ended), total

    def trial(self, outcome: TrialOutcome) -> None:
        """Print a line for a trial that ended and count it."""
        self._console.print(Text(f"  {visible(outcome_line(outcome))}"))
        self._done += 1
        self._running = tuple(number for number in self._running if number != outcome.number)
        self._count(outcome)

    def _count(self, outcome: TrialOutcome) -> None:
        self._states[outcome.state] += 1
        if is_better(outcome, self._best):
            self._best = outcome

    def running(self, numbers: Sequence[int]) -> None:
        """Receive the numbers of the running trials."""
        self._running = tuple(numbers)

    def message(self, text: str) -> None:
        """Print a line."""
        self._console.print(Text(f"  {visible(text)}"))

    def render(self) -> RenderableType:
        """Return the current table."""
        if not self._is_on or self._stage is None:
            return Text("")
        return Group(Text(f"  {self._headline(self._stage)}"), self._table(self._stage))

    def _headline(self, stage: Stage) -> str:
        parts = [f"{stage} {self._done}/{self._total}"]
        if self._best is not None and self._best.value is not None:
            best = f"{self._best.value:.3f} (trial {self._best.number})"
            parts.append(f"best {stage.value_name} {best}")
        parts += [
            f"{self._states[state]} {state}"
            for state in ("pruned", "failed")
            if self._states[state]
        ]
        parts.append(f"{duration(self._clock() - self._began)} so far")
        left = self._seconds_left()
        if left is not None:
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)

    def _seconds_left(self) -> float | None:
        """Return the time left, at the pace of the trials since this process began the stage."""
        ended = self._done - self._before
        if ended <= 0:
            return None
        return (self._clock() - self._began) / ended * (self._total - self._done)

    def _table(self, stage: Stage) -> RenderableType:
        if not self._running:
            return Text("    no trial runs yet")
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
        for name in ("running", "epoch", "value", "curve"):
            table.add_column(name, justify="right" if name in ("epoch", "value") else "left")
        for number in self._running:
            table.add_row(
                f"trial {number}",
                *(
                    Text(visible(text))
                    for text in _progress(self._run.trial(stage, number) / HISTORY)
                ),
            )
        return table


def _progress(history: Path) -> tuple[str, str, str]:
    """Return the epoch, the last value and the curve of the training that a trial is in."""
    trainings = read_history(history)
    if not trainings:
        return "starting", "", ""
    training = trainings[-1]
    name, curve = next(iter(training.curves.items()))
    step, value = curve[-1]
    without = f", without {training.without}" if training.without else ""
    return f"{step:.0f}", f"{name} {value:.3f}{without}", sparkline([value for _, value in curve])


def sparkline(values: Sequence[float], width: int = 16) -> str:
    """Draw the last values as bars between the lowest and the highest of them.

    Args:
        values: Values of a curve.
        width: Largest number of bars.
    """
    shown = values[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    if high == low:
        return _LEVELS[len(_LEVELS) // 2] * len(shown)
    top = len(_LEVELS) - 1
    return "".join(_LEVELS[round(top * (value - low) / (high - low))] for value in shown)


def is_better(outcome: TrialOutcome, best: TrialOutcome | None) -> bool:
    """Return whether a trial is the best of its stage so far."""
    if outcome.value is None:
        return False
    if best is None or best.value is None:
        return True
    return outcome.stage.is_better(outcome.value, best.value)


def duration(seconds: float) -> str:
    """Return a duration in words: seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
