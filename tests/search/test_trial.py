from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from artifacts.records import HYPERPARAMETERS, REASON, SECONDS
from artifacts.run_directory import RunDirectory
from search import studies
from search.trial import MODEL_FILE, TrialOutcome, TrialResult, failure_reason, keep_best, run_trial

SAMPLER, PRUNER = optuna.samplers.RandomSampler(seed=0), optuna.pruners.NopPruner()


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory(tmp_path)
    studies.open_study(directory.journal, "architecture")
    return directory


def ended(run: RunDirectory) -> optuna.trial.FrozenTrial:
    return studies.open_study(run.journal, "architecture").trials[-1]


def test_a_complete_trial_leaves_value_attributes_and_history(run: RunDirectory) -> None:
    def objective(trial: optuna.Trial, folder: Path) -> TrialResult:
        trial.set_user_attr(HYPERPARAMETERS, {"n": trial.suggest_int("n", 0, 9)})
        return TrialResult(0.75, {"params": 12}, [{"epoch": 1, "val_auc": 0.75}])

    outcome = run_trial(run, "architecture", SAMPLER, PRUNER, objective)
    assert (outcome.state, outcome.value, outcome.reason) == ("COMPLETE", 0.75, "")
    assert ended(run).user_attrs["params"] == 12
    assert ended(run).user_attrs[SECONDS] >= 0
    folder = run.trial("architecture", 0)
    assert (folder / "history.csv").read_text() == "epoch,val_auc\n1,0.75\n"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["state"] == "COMPLETE"
    assert metrics["hyperparameters"] == ended(run).params


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
    run: RunDirectory, error: Exception, reason: str
) -> None:
    def objective(trial: optuna.Trial, folder: Path) -> TrialResult:
        raise error

    outcome = run_trial(run, "architecture", SAMPLER, PRUNER, objective)
    assert (outcome.state, outcome.reason) == ("FAIL", reason)
    assert ended(run).state == TrialState.FAIL
    assert ended(run).user_attrs[REASON] == reason
    assert "Traceback" in (run.trial("architecture", 0) / "error.txt").read_text()


def test_a_pruned_trial_is_pruned_not_failed(run: RunDirectory) -> None:
    def objective(trial: optuna.Trial, folder: Path) -> TrialResult:
        trial.report(0.4, 1)
        raise optuna.TrialPruned("val_auc 0.400 after 1 epochs")

    outcome = run_trial(run, "architecture", SAMPLER, PRUNER, objective)
    assert outcome.state == "PRUNED"
    assert ended(run).state == TrialState.PRUNED
    assert not (run.trial("architecture", 0) / "error.txt").exists()


def test_an_interrupt_leaves_the_trial_running_to_be_reaped(run: RunDirectory) -> None:
    def objective(trial: optuna.Trial, folder: Path) -> TrialResult:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(run, "architecture", SAMPLER, PRUNER, objective)
    assert ended(run).state == TrialState.RUNNING


def test_a_value_that_is_no_number_fails_the_trial(run: RunDirectory) -> None:
    outcome = run_trial(
        run,
        "architecture",
        SAMPLER,
        PRUNER,
        lambda trial, folder: TrialResult(float("nan"), {}, []),
    )
    assert outcome.state == "FAIL"
    assert "nan" in outcome.reason
    assert ended(run).state == TrialState.FAIL


def test_only_the_best_trials_keep_their_models(run: RunDirectory) -> None:
    def trial_of(value: float, log_loss: float) -> TrialOutcome:
        def objective(trial: optuna.Trial, folder: Path) -> TrialResult:
            (folder / MODEL_FILE).write_bytes(b"model")
            return TrialResult(value, {"val_log_loss": log_loss}, [])

        return run_trial(run, "architecture", SAMPLER, PRUNER, objective)

    for value, log_loss in ((0.6, 0.1), (0.9, 0.5), (0.9, 0.2), (0.7, 0.1)):
        trial_of(value, log_loss)
    keep_best(run, studies.open_study(run.journal, "architecture"), 2)
    kept = [n for n in range(4) if (run.trial("architecture", n) / MODEL_FILE).exists()]
    assert kept == [1, 2]


def test_a_reason_is_one_short_line() -> None:
    assert "\n" not in failure_reason(RuntimeError("x" * 1000 + "\n" + "y"))
    assert len(failure_reason(RuntimeError("x" * 1000))) < 400
