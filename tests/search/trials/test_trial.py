from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from artifacts.records import HYPERPARAMETERS, REASON, SECONDS
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from data_prep.errors import UserError
from search.config.run_config import RunConfig, resolve
from search.studies.study import (
    INTERRUPTED,
    finished_trials,
    open_study,
    read_trials,
)
from search.trials import queue
from search.trials.heartbeat import HEARTBEAT
from search.trials.trial import (
    MODEL_FILE,
    NoWaitingTrialError,
    OpenTrial,
    TrialOutcome,
    TrialResult,
    failure_reason,
    run_trial,
)

STAGE = ARCHITECTURE
Run = Callable[[Callable[[OpenTrial], TrialResult]], TrialOutcome]


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return resolve({"store": "s.h5", "run_dir": tmp_path, "kept_models": 2})


@pytest.fixture
def run(config: RunConfig) -> Run:
    """Queue a trial, and run it."""

    def queue_and_run(objective: Callable[[OpenTrial], TrialResult]) -> TrialOutcome:
        study = open_study(RunDirectory(config.run_dir), STAGE)
        queue.queue_trials(study, len(finished_trials(study)) + 1, slots=1)
        return run_trial(config, STAGE, 5, objective)

    return queue_and_run


def ended(config: RunConfig) -> optuna.trial.FrozenTrial:
    return read_trials(RunDirectory(config.run_dir))[STAGE.name][-1]


def folder(config: RunConfig, number: int = 0) -> Path:
    return config.run_dir / "trials" / STAGE.name / str(number)


def test_a_complete_trial_leaves_value_attributes_and_history(config: RunConfig, run: Run) -> None:
    def objective(trial: OpenTrial) -> TrialResult:
        hyperparameters = {"n": trial.optuna.suggest_int("n", 0, 9)}
        trial.optuna.set_user_attr(HYPERPARAMETERS, hyperparameters)
        trial.record({"epoch": 1, "val_auc": 0.5})
        trial.record({"epoch": 2, "val_auc": 0.75})
        return TrialResult(0.75, {"val_log_loss": 0.3})

    outcome = run(objective)
    assert (outcome.state, outcome.value, outcome.reason) == ("complete", 0.75, "")
    assert ended(config).user_attrs["val_log_loss"] == 0.3
    assert ended(config).user_attrs[SECONDS] >= 0
    assert (folder(config) / "history.csv").read_text() == "epoch,val_auc\n1,0.5\n2,0.75\n"
    metrics = json.loads((folder(config) / "metrics.json").read_text())
    assert metrics["state"] == "complete"
    assert metrics["hyperparameters"] == ended(config).params


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "out of memory"),
        (FloatingPointError("training diverged"), "FloatingPointError: training diverged"),
        (ValueError("first line\nsecond line"), "ValueError: first line"),
        (KeyError(), "KeyError"),
    ],
)
def test_whatever_a_trial_raises_fails_it_alone_with_its_reason(
    config: RunConfig, run: Run, error: Exception, reason: str
) -> None:
    def objective(trial: OpenTrial) -> TrialResult:
        trial.record({"epoch": 1, "val_auc": 0.5})
        raise error

    outcome = run(objective)
    assert (outcome.state, outcome.reason) == ("failed", reason)
    assert ended(config).state == TrialState.FAIL
    assert ended(config).user_attrs[REASON] == reason
    assert "Traceback" in (folder(config) / "error.txt").read_text()
    assert (folder(config) / "history.csv").exists()


def test_a_pruned_trial_is_pruned_not_failed(config: RunConfig, run: Run) -> None:
    def objective(trial: OpenTrial) -> TrialResult:
        trial.optuna.report(0.4, 1)
        raise optuna.TrialPruned("val_auc 0.400 after 1 epochs")

    assert run(objective).state == "pruned"
    assert ended(config).state == TrialState.PRUNED
    assert not (folder(config) / "error.txt").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UserError("no store at s.h5")])
def test_what_every_trial_would_meet_ends_the_run_and_leaves_the_trial_to_be_retried(
    config: RunConfig, run: Run, error: BaseException
) -> None:
    def objective(trial: OpenTrial) -> TrialResult:
        raise error

    with pytest.raises(type(error)):
        run(objective)
    assert ended(config).state == TrialState.RUNNING


def test_a_value_that_is_no_number_fails_the_trial(config: RunConfig, run: Run) -> None:
    outcome = run(lambda trial: TrialResult(float("nan"), {}))
    assert outcome.state == "failed"
    assert "nan" in outcome.reason
    assert ended(config).state == TrialState.FAIL


def test_only_the_best_trials_keep_their_models(config: RunConfig, run: Run) -> None:
    def objective_of(value: float, log_loss: float) -> Callable[[OpenTrial], TrialResult]:
        def objective(trial: OpenTrial) -> TrialResult:
            (trial.folder / MODEL_FILE).write_bytes(b"model")
            return TrialResult(value, {"val_log_loss": log_loss})

        return objective

    for value, log_loss in ((0.6, 0.1), (0.9, 0.5), (0.9, 0.2), (0.7, 0.1)):
        run(objective_of(value, log_loss))
    kept = [n for n in range(4) if (folder(config, n) / MODEL_FILE).exists()]
    assert kept == [1, 2]


def test_an_interrupted_trial_is_repeated_with_its_numbers_and_its_seed(
    config: RunConfig, run: Run
) -> None:
    def search(interrupted_at: int | None) -> list[tuple[float, int]]:
        seen: list[tuple[float, int]] = []

        def objective(trial: OpenTrial) -> TrialResult:
            drawn = trial.optuna.suggest_float("x", 0, 1)
            if trial.optuna.number == interrupted_at:
                raise KeyboardInterrupt
            seen.append((drawn, trial.seed))
            return TrialResult(drawn, {})

        while len(seen) < 12:
            try:
                run(objective)
            except KeyboardInterrupt:
                study = open_study(RunDirectory(config.run_dir), STAGE)
                for trial in queue.running_trials(study):
                    queue.give_back(study, trial)
        RunDirectory(config.run_dir).journal.unlink()
        return seen

    whole = search(None)
    assert len({drawn for drawn, _ in whole}) == 12
    assert search(3) == whole


def test_without_a_ticket_nothing_is_run(config: RunConfig) -> None:
    with pytest.raises(NoWaitingTrialError):
        run_trial(config, STAGE, 5, lambda trial: TrialResult(0.5, {}))
    assert read_trials(RunDirectory(config.run_dir))[STAGE.name] == []


def test_a_trial_that_was_given_up_meanwhile_ends_without_being_counted_again(
    config: RunConfig, run: Run
) -> None:
    def objective(trial: OpenTrial) -> TrialResult:
        study = open_study(RunDirectory(config.run_dir), STAGE)
        assert queue.give_back(study, queue.running_trials(study)[0], died=True)
        return TrialResult(0.5, {})

    assert run(objective).reason == INTERRUPTED
    assert ended(config).state == TrialState.FAIL
    assert finished_trials(open_study(RunDirectory(config.run_dir), STAGE)) == []


@pytest.mark.parametrize("kind", ["history.csv", "a model"])
def test_a_full_disk_is_one_line_and_leaves_the_trial_to_be_retried(
    config: RunConfig, run: Run, kind: str
) -> None:
    """A limit on the size of files stands for the disk; the journal is small enough for it."""

    def objective(trial: OpenTrial) -> TrialResult:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
        try:
            if kind == "a model":
                (trial.folder / MODEL_FILE).write_bytes(bytes(100_000))
            while True:
                trial.record(dict.fromkeys(map(str, range(1000)), 0.5))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    with pytest.raises(
        UserError, match="File too large; free some space and repeat the command to resume"
    ):
        run(objective)
    assert ended(config).state == TrialState.RUNNING


def test_a_trial_beats_while_it_runs_and_not_after(config: RunConfig, run: Run) -> None:
    def objective(trial: OpenTrial) -> TrialResult:
        deadline = time.monotonic() + 20
        while not (trial.folder / HEARTBEAT).exists():
            assert time.monotonic() < deadline
        return TrialResult(0.5, {})

    assert run(objective).state == "complete"
    assert not (folder(config) / HEARTBEAT).exists()


def test_a_reason_is_one_short_line() -> None:
    assert "\n" not in failure_reason(RuntimeError("x" * 1000 + "\n" + "y"))
    assert len(failure_reason(RuntimeError("x" * 1000))) < 400
