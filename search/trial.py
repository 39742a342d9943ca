"""One trial: asked of the study, run in its folder, told to the study whatever happens."""

from __future__ import annotations

import csv
import dataclasses
import math
import os
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from artifacts import records
from artifacts.run_directory import RunDirectory, write_json, write_text
from data_prep.errors import UserError
from search import studies
from search.config import RunConfig
from search.pruners import pruner
from search.samplers import RepeatableSampler

MODEL_FILE = "model.keras"
GAN_FILES = ("generator.keras", "discriminator.keras")
GAN_GRID = "faces.png"


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """What a complete trial leaves in its study: the objective, and attributes beside it.

    ``note`` says what it had to do without, if anything.
    """

    value: float
    attributes: Mapping[str, Any]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class TrialOutcome:
    """How a trial ended, for whoever started it; ``state`` as in the leaderboard."""

    stage: str
    number: int
    state: str
    value: float | None
    seconds: float
    reason: str


@dataclasses.dataclass(frozen=True)
class OpenTrial:
    """A trial that is being run.

    Attributes:
        optuna: the trial itself.
        folder: for its files.
        seed: of everything random in it; the same when it is retried.
    """

    optuna: optuna.Trial
    folder: Path
    seed: int

    def record(self, row: Mapping[str, float]) -> None:
        """Add a row to ``history.csv``, so that curves can be read while the trial runs."""
        path = self.folder / "history.csv"
        begun = path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            if not begun:
                writer.writeheader()
            writer.writerow(row)


Objective = Callable[[OpenTrial], TrialResult]


def run_trial(config: RunConfig, stage: str, steps: int, objective: Objective) -> TrialOutcome:
    """Ask the study for one trial, run the objective on it, and record how it ended.

    Nothing the objective raises leaves this function but an interruption and a ``UserError``,
    which every other trial would meet as well: the trial is told complete, pruned, or failed
    with its reason, and ``error.txt`` in its folder has the traceback.

    Args:
        config: of the run.
        stage: name of the study.
        steps: how often a trial reports at most.
        objective: runs the trial.

    Raises:
        UserError: the objective's; the trial is left to be retried.
    """
    run = RunDirectory(config.run_dir)
    study = studies.open_study(run.journal, stage)
    study.sampler = RepeatableSampler(config.sampler, config.seed)
    study.pruner = pruner(config.pruner, steps)
    started = time.monotonic()
    trial = study.ask()
    trial.set_user_attr(studies.PID, os.getpid())
    folder = run.trial(stage, trial.number)
    folder.mkdir(parents=True, exist_ok=True)
    state, value, reason = TrialState.FAIL, None, ""
    try:
        result = objective(OpenTrial(trial, folder, config.seed + studies.draw(study, trial)))
        if not math.isfinite(result.value):
            raise FloatingPointError(f"the objective is {result.value}")
        for name, attribute in result.attributes.items():
            trial.set_user_attr(name, attribute)
        state, value, reason = TrialState.COMPLETE, result.value, result.note
    except optuna.TrialPruned as pruned:
        state, reason = TrialState.PRUNED, str(pruned)
    except UserError:
        raise
    except Exception as error:
        reason = failure_reason(error)
        write_text(folder / "error.txt", traceback.format_exc())
    seconds = round(time.monotonic() - started, 2)
    trial.set_user_attr(records.SECONDS, seconds)
    if reason:
        trial.set_user_attr(records.REASON, reason)
    outcome = TrialOutcome(stage, trial.number, records.STATES[state], value, seconds, reason)
    hyperparameters = trial.user_attrs.get(records.HYPERPARAMETERS, {})
    facts = dataclasses.asdict(outcome) | {"hyperparameters": hyperparameters}
    write_json(folder / "metrics.json", facts)
    study.tell(trial, value, state=state)
    _keep_best(run, study, config.kept)
    return outcome


def failure_reason(error: BaseException) -> str:
    """One line for the leaderboard; TensorFlow's own run over pages."""
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "ResourceExhaustedError":
        return "out of memory"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{name}: {lines[0][:300]}" if lines else name


def _keep_best(run: RunDirectory, study: optuna.Study, count: int) -> None:
    """Remove the models and pictures of all ended trials but the best ``count``."""
    kept = {trial.number for trial in studies.best(study, count)}
    for trial in study.get_trials(deepcopy=False):
        if trial.state.is_finished() and trial.number not in kept:
            for name in (MODEL_FILE, *GAN_FILES, GAN_GRID):
                (run.trial(study.study_name, trial.number) / name).unlink(missing_ok=True)
