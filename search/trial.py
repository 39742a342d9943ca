"""One trial: asked of the study, run in its folder, told to the study whatever happens."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from artifacts import records
from artifacts.run_directory import RunDirectory, write_json, write_text
from search import studies

MODEL_FILE = "model.keras"


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """What a finished trial leaves in its study.

    Attributes:
        value: the objective.
        attributes: kept with the trial: ``params``, ``val_log_loss``, and so on.
        history: a row an epoch, written to ``history.csv``.
    """

    value: float
    attributes: dict[str, Any]
    history: list[dict[str, float]]


@dataclasses.dataclass(frozen=True)
class TrialOutcome:
    """How a trial ended, for whoever started it."""

    stage: str
    number: int
    state: str
    value: float | None
    seconds: float
    reason: str


Objective = Callable[[optuna.Trial, Path], TrialResult]


def run_trial(
    run: RunDirectory,
    stage: str,
    sampler: optuna.samplers.BaseSampler,
    pruner: optuna.pruners.BasePruner,
    objective: Objective,
) -> TrialOutcome:
    """Ask the study for one trial, run the objective on it, and record how it ended.

    Nothing the objective raises leaves this function but an interruption: the trial is told
    complete, pruned, or failed with its reason, and ``error.txt`` in its folder has the traceback.

    Args:
        run: the run directory.
        stage: name of the study.
        sampler: of this trial.
        pruner: of the stage.
        objective: takes the trial and its folder.
    """
    study = optuna.load_study(
        study_name=stage, storage=studies.storage(run.journal), sampler=sampler, pruner=pruner
    )
    started = time.monotonic()
    trial = study.ask()
    trial.set_user_attr(studies.PID, os.getpid())
    folder = run.trial(stage, trial.number)
    folder.mkdir(parents=True, exist_ok=True)
    state, value, reason = TrialState.FAIL, None, ""
    try:
        result = objective(trial, folder)
        if not math.isfinite(result.value):
            raise FloatingPointError(f"the objective is {result.value}")
        for name, attribute in result.attributes.items():
            trial.set_user_attr(name, attribute)
        _write_history(folder, result.history)
        state, value = TrialState.COMPLETE, result.value
    except optuna.TrialPruned as pruned:
        state, reason = TrialState.PRUNED, str(pruned)
    except Exception as error:
        reason = failure_reason(error)
        write_text(folder / "error.txt", traceback.format_exc())
    seconds = round(time.monotonic() - started, 2)
    trial.set_user_attr(records.SECONDS, seconds)
    if reason:
        trial.set_user_attr(records.REASON, reason)
    write_json(
        folder / "metrics.json",
        {
            "state": state.name,
            "value": value,
            "seconds": seconds,
            "reason": reason,
            "hyperparameters": trial.user_attrs.get(records.HYPERPARAMETERS, {}),
        },
    )
    study.tell(trial, value, state=state)
    return TrialOutcome(stage, trial.number, state.name, value, seconds, reason)


def failure_reason(error: BaseException) -> str:
    """One line for the leaderboard; TensorFlow's own run over pages."""
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "ResourceExhaustedError":
        return "out of memory"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{name}: {lines[0][:300]}" if lines else name


def keep_best(run: RunDirectory, study: optuna.Study, count: int) -> None:
    """Remove the model files of all complete trials but the best ``count``."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    kept = {trial.number for trial in studies.best(study, count, ranking)}
    for trial in complete:
        if trial.number not in kept:
            (run.trial(study.study_name, trial.number) / MODEL_FILE).unlink(missing_ok=True)


def ranking(trial: optuna.trial.FrozenTrial) -> tuple[float, float, int]:
    """Best first: highest validation AUC, then lowest log-loss, then first."""
    assert trial.value is not None
    return (-trial.value, trial.user_attrs.get(records.VAL_LOG_LOSS, float("inf")), trial.number)


def _write_history(folder: Path, history: list[dict[str, float]]) -> None:
    if history:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        write_text(folder / "history.csv", text.getvalue())
