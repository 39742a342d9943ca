"""The budget of a run: its time, and its patience without a better trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from artifacts.stages import ARCHITECTURE, Stage
from search.config.run_config import RunConfig
from search.config.stages import trials_by_stage
from search.studies.study import (
    stage_of,
)


class Budget:
    """Time and patience of a run, from its start on.

    The time left is shared among the stages to come by their numbers of trials. So a long first
    stage does not use the time of the others, and unused time passes on to later stages. All
    stages depend on the architecture stage: it continues until one of its trials is complete.

    Args:
        config: Configuration with ``minutes`` and ``patience``; 0 for no limit.
        clock: Function that returns seconds.
    """

    def __init__(self, config: RunConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = config.patience
        self._clock = clock
        self._wanted = {
            stage: trials for stage, trials in trials_by_stage(config).items() if trials
        }
        self._end = clock() + 60 * config.minutes if config.minutes else None
        self._stage_end: float | None = None

    def begin(self, stage: Stage) -> None:
        """Give a stage its share of the time that is left; stages begin in their order."""
        names = list(self._wanted)
        to_come = names[names.index(stage) :]
        if self._end is not None:
            now = self._clock()
            left = max(0.0, self._end - now)
            share = self._wanted[stage] / sum(self._wanted[name] for name in to_come)
            self._stage_end = now + left * share

    def spent(self, study: optuna.Study) -> str:
        """Return why no further trial of the stage may start; empty if one may."""
        trials = study.get_trials(deepcopy=False)
        complete = any(trial.state == TrialState.COMPLETE for trial in trials)
        may_end = complete or stage_of(study) != ARCHITECTURE
        if may_end and self._stage_end is not None and self._clock() >= self._stage_end:
            return "its share of the time is used up"
        if may_end and self._patience and len(study.directions) == 1:
            fruitless = trials_without_progress(trials, study.direction)
            if fruitless >= self._patience:
                return f"{fruitless} trials in a row were not better"
        return ""


def trials_without_progress(trials: Sequence[FrozenTrial], direction: StudyDirection) -> int:
    """Count the trials that have ended since the best one so far, in their order.

    Complete and pruned trials count. A failed trial does not: it gives no evidence about the space.
    """
    count, best = 0, None
    for trial in trials:
        if trial.state == TrialState.COMPLETE:
            value = trial.value or 0.0
            gain = -value if direction == StudyDirection.MINIMIZE else value
            if best is None or gain > best:
                count, best = 0, gain
                continue
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            count += 1
    return count
