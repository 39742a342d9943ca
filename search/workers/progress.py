"""Reports of a running search: the interface, and lines in a log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from artifacts.stages import Stage
from search.trials.trial import TrialOutcome

_log = logging.getLogger("dfsearch")


class RunProgress(Protocol):
    """Receiver of the progress of a run."""

    def stage(self, stage: Stage, ended: Sequence[TrialOutcome], total: int) -> None:
        """Receive the start, the resumption or the end of a stage.

        Args:
            stage: The stage.
            ended: Its trials that have ended.
            total: Number of its trials.
        """

    def trial(self, outcome: TrialOutcome) -> None:
        """Receive the outcome of a trial, here or on another host."""

    def running(self, numbers: Sequence[int]) -> None:
        """Receive the numbers of the running trials of the stage, here or on other hosts."""

    def message(self, text: str) -> None:
        """Receive a line about the run."""


class LogProgress:
    """Progress of a run as lines of the logger ``dfsearch``, level INFO."""

    def __init__(self) -> None:
        self._stage: Stage | None = None

    def stage(self, stage: Stage, ended: Sequence[TrialOutcome], total: int) -> None:
        """Log the start of a stage."""
        if stage != self._stage:
            self._stage = stage
            _log.info("%s search: %d of %d trials done", stage, len(ended), total)

    def trial(self, outcome: TrialOutcome) -> None:
        """Log the outcome of a trial."""
        _log.info("%s", outcome_line(outcome))

    def running(self, numbers: Sequence[int]) -> None:
        """Log nothing: a trial has a line when it ends."""

    def message(self, text: str) -> None:
        """Log a line."""
        _log.info("%s", text)


def outcome_line(outcome: TrialOutcome) -> str:
    """Return the outcome of a trial in one line."""
    text = f"{outcome.stage} {outcome.number}: {outcome.state}"
    if outcome.value is not None:
        text += f", {outcome.stage.value_name} {outcome.value:.3f}"
    if outcome.reason:
        text += f", {outcome.reason}"
    return f"{text}, {outcome.seconds:.0f} s"
