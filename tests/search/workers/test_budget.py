from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, GAN, TRAINING, Stage
from data_prep.errors import UserError
from search.config.run_config import RunConfig, resolve
from search.studies.run_state import RunState
from search.studies.study import (
    open_study,
)
from search.trials.trial import OpenTrial, TrialOutcome, TrialResult, run_trial
from search.workers import worker
from search.workers.budget import Budget, trials_without_progress
from search.workers.dispatch import Dispatch
from search.workers.local import LocalWorkers


class Clock:
    """Seconds that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def config(folder: Path, **settings: Any) -> RunConfig:
    stages = {"architecture": {"trials": 6}, "gan": {"trials": 0}, "training": {"trials": 2}}
    RunState.begin(RunDirectory(folder), "0" * 64)
    return resolve({"store": "s.h5", "run_dir": folder, **stages, **settings})


def study(folder: Path, stage: Stage, *values: float | None) -> optuna.Study:
    """A study with trials of these values, pruned ones for ``None``."""
    made = open_study(RunDirectory(folder), stage)
    for value in values:
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        made.tell(made.ask(), value, state)
    return made


def test_without_a_budget_nothing_stops_a_stage(tmp_path: Path, clock: Clock) -> None:
    budget = Budget(config(tmp_path), clock)
    budget.begin(ARCHITECTURE)
    clock.now += 1e9
    assert budget.spent(study(tmp_path, ARCHITECTURE, *[0.5] * 50)) == ""


def test_time_is_shared_by_trials_and_what_is_left_goes_on(tmp_path: Path, clock: Clock) -> None:
    budget = Budget(config(tmp_path, minutes=8), clock)
    architecture, training = study(tmp_path, ARCHITECTURE, 0.5), study(tmp_path, TRAINING)
    budget.begin(ARCHITECTURE)
    clock.now = 1000 + 359
    assert not budget.spent(architecture)
    clock.now = 1000 + 361
    assert "time is used up" in budget.spent(architecture)
    # The stage overshot: the training has what is left until the eighth minute.
    clock.now = 1000 + 420
    budget.begin(TRAINING)
    assert not budget.spent(training)
    clock.now = 1000 + 481
    assert "time is used up" in budget.spent(training)


def test_time_that_a_stage_did_not_need_goes_to_the_next(tmp_path: Path, clock: Clock) -> None:
    budget = Budget(config(tmp_path, minutes=8), clock)
    budget.begin(ARCHITECTURE)
    clock.now = 1000 + 60
    budget.begin(TRAINING)
    clock.now = 1000 + 470
    assert not budget.spent(study(tmp_path, TRAINING, 0.5))


def test_the_architecture_stage_goes_on_until_a_trial_is_complete(
    tmp_path: Path, clock: Clock
) -> None:
    budget = Budget(config(tmp_path, minutes=1), clock)
    budget.begin(ARCHITECTURE)
    clock.now += 3600
    begun = study(tmp_path, ARCHITECTURE, None)
    assert not budget.spent(begun)
    assert budget.spent(study(tmp_path, ARCHITECTURE, 0.5))
    budget.begin(TRAINING)
    assert budget.spent(study(tmp_path, TRAINING))


def test_patience_ends_with_so_many_trials_that_brought_nothing(
    tmp_path: Path, clock: Clock
) -> None:
    budget = Budget(config(tmp_path, patience=3), clock)
    budget.begin(ARCHITECTURE)
    begun = study(tmp_path, ARCHITECTURE, 0.5, 0.75, 0.625, None)
    assert not budget.spent(begun)
    assert "3 trials in a row" in budget.spent(study(tmp_path, ARCHITECTURE, 0.75))
    assert not budget.spent(study(tmp_path, ARCHITECTURE, 0.875))


def test_patience_begins_with_a_complete_trial_of_the_stage_that_all_depend_on(
    tmp_path: Path, clock: Clock
) -> None:
    budget = Budget(config(tmp_path, patience=3), clock)
    budget.begin(ARCHITECTURE)
    assert not budget.spent(study(tmp_path, ARCHITECTURE, None, None, None))
    assert budget.spent(study(tmp_path, ARCHITECTURE, 0.5, None, None, None))


def test_progress_is_counted_in_the_direction_of_the_study(tmp_path: Path) -> None:
    gan = study(tmp_path, GAN, 0.5, 0.25, 0.375)
    assert trials_without_progress(gan.get_trials(), gan.direction) == 1
    failed = gan.ask()
    gan.tell(failed, state=TrialState.FAIL)
    gan.ask()
    assert trials_without_progress(gan.get_trials(), gan.direction) == 1


@pytest.mark.parametrize("settings", [{"minutes": -1}, {"patience": -1}, {"patience": 1.5}])
def test_a_budget_that_is_none_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(settings))):
        config(tmp_path, **settings)


def test_patience_needs_one_objective(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="patience counts trials without a better value"):
        config(tmp_path, patience=5, objective="auc+size")


def tiny(config: RunConfig, stage: str) -> worker.Ran:
    """Run a trial whose value is always the same."""
    return worker.run_waiting(lambda: run_trial(config, stage, 3, flat))


def flat(trial: OpenTrial) -> TrialResult:
    return TrialResult(0.5, {"x": trial.optuna.suggest_float("x", 0, 1)})


class Told:
    """What a stage told; every trial takes a hundred seconds of a test's clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lines: list[str] = []

    def stage(self, stage: Stage, ended: Sequence[TrialOutcome], total: int) -> None:
        self.lines.append(f"{stage} {len(ended)}/{total}")

    def trial(self, outcome: TrialOutcome) -> None:
        self.clock.now += 100

    def running(self, numbers: Sequence[int]) -> None:
        pass

    def message(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(
    ("settings", "done", "reason"),
    [
        ({"minutes": 8}, 4, "its share of the time is used up"),
        ({"patience": 2}, 3, "2 trials in a row were not better"),
        ({}, 6, None),
    ],
)
def test_a_stage_begins_no_trial_beyond_its_budget(
    tmp_path: Path, clock: Clock, settings: dict[str, Any], done: int, reason: str | None
) -> None:
    asked, told, crew = config(tmp_path, **settings), Told(clock), LocalWorkers(1)
    budget = Budget(asked, clock)
    try:
        stage = Dispatch(asked, ARCHITECTURE, crew, told, tiny, budget)
        stage.run(6, lambda: None)
    finally:
        crew.close(kill=True)
    ended = study(tmp_path, ARCHITECTURE).get_trials(states=(TrialState.COMPLETE,))
    assert len(ended) == done
    ends = [] if reason is None else [f"the architecture stage ends: {reason}"]
    assert told.lines == ["architecture 0/6", *ends, f"architecture {done}/6"]


def test_a_stage_that_has_no_time_left_does_not_even_prepare(tmp_path: Path, clock: Clock) -> None:
    asked, told, crew = config(tmp_path, minutes=1), Told(clock), LocalWorkers(1)
    budget = Budget(asked, clock)
    clock.now += 61
    Dispatch(asked, TRAINING, crew, told, tiny, budget).run(2, pytest.fail)
    assert told.lines[-1] == "training 0/2"
    assert not study(tmp_path, TRAINING).get_trials()
