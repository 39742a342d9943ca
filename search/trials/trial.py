"""One trial: claimed from the study, run in its folder, and recorded however it ends."""

from __future__ import annotations

import csv
import dataclasses
import errno
import math
import shutil
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from artifacts import records
from artifacts.histories import HISTORY
from artifacts.run_directory import RunDirectory, write_json, write_text
from artifacts.stages import Stage
from data_prep.errors import DfsearchError, UserError
from data_prep.text import guard_cell
from search.config.run_config import RunConfig
from search.studies.pruners import pruner
from search.studies.samplers import RepeatableSampler
from search.studies.storage import is_server_error
from search.studies.study import (
    INTERRUPTED,
    best_trials,
    open_study,
    sequence_number,
    stage_of,
)
from search.trials import peak_memory, queue
from search.trials.checkpoint_folder import CHECKPOINT
from search.trials.heartbeat import BEAT_SECONDS, HEARTBEAT, keep_heartbeat
from search.trials.tensorboard import EventLog, has_tensorboard
from search.trials.time_limit import ERROR, limit_time

MODEL_FILE = "model.keras"
GAN_FILES = ("generator.keras", "discriminator.keras")
GAN_GRID = "faces.png"
OUT_OF_MEMORY = "out of memory"

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """Result of a complete trial.

    Attributes:
        value: Objective.
        attributes: Attributes for the study.
        note: A missing part of the trial, if any.
        also: Further values of a search with several objectives.
    """

    value: float
    attributes: Mapping[str, Any]
    note: str = ""
    also: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class TrialOutcome:
    """End of a trial; ``state`` as in the leaderboard."""

    stage: Stage
    number: int
    state: str
    value: float | None
    seconds: float
    reason: str


@dataclasses.dataclass(frozen=True)
class OpenTrial:
    """A trial that is being run.

    Attributes:
        optuna: The trial itself.
        folder: Folder of its files.
        seed: Seed of everything random in it; a retry has the same.
        events: Event file for TensorBoard, if wanted.
    """

    optuna: optuna.Trial
    folder: Path
    seed: int
    events: EventLog | None = None

    def record(self, row: Mapping[str, float | str]) -> None:
        """Add a row to ``history.csv``, so that curves can be read while the trial runs."""
        path = self.folder / HISTORY
        is_new = not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            if is_new:
                writer.writeheader()
            writer.writerow({name: guard_cell(value) for name, value in row.items()})
        if self.events is not None:
            self.events.row(row)


TrialFunction = Callable[[OpenTrial], TrialResult]


class NoWaitingTrialError(DfsearchError):
    """A missing trial: another worker claimed it first."""


def run_trial(
    config: RunConfig, stage: Stage, steps: int, objective: TrialFunction
) -> TrialOutcome:
    """Claim a waiting trial, run the objective on it, and record how it ended.

    Only an interruption and errors that every other trial would meet leave this function. Otherwise
    the trial is recorded as complete, pruned, or failed with its reason, and ``error.txt`` in its
    folder has the traceback.

    Args:
        config: Run configuration.
        stage: Stage of the trial.
        steps: The most reports of a trial.
        objective: Runs the trial.

    Raises:
        NoWaitingTrialError: No trial waits.
        UserError: Raised by the objective, or the disk is full; the trial is left for a retry.
        StorageInternalError, SQLAlchemyError: The storage is unavailable; the trial is left for a
            retry.
    """
    run = RunDirectory(config.run_dir)
    study = open_study(run, stage)
    study.sampler = RepeatableSampler(config.sampler, config.seed)
    study.pruner = pruner(config.pruner, steps)
    started = time.monotonic()
    trial = queue.claim_trial(study)
    if trial is None:
        raise NoWaitingTrialError
    folder = run.trial(stage, trial.number)
    limits = config.limits
    beats = min(BEAT_SECONDS, limits.silence_seconds / 4)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        events = None
        # A worker on a host without tensorboard still runs trials.
        if config.tensorboard and has_tensorboard():
            events = EventLog(run.events(stage, trial.number), f"{stage}/{trial.number}")
        with keep_heartbeat(folder / HEARTBEAT, beats), limit_time(folder, limits.trial_minutes):
            outcome = _run(study, trial, folder, objective, config.seed, started, events)
    except optuna.exceptions.UpdateFinishedTrialError:
        # The run had counted this silent worker as dead and queued the trial again.
        seconds = round(time.monotonic() - started, 2)
        return TrialOutcome(stage, trial.number, "failed", None, seconds, INTERRUPTED)
    except OSError as error:
        raise _full(error, run) or error from None
    _keep_best(run, study, config.kept_trials)
    return outcome


def _run(
    study: optuna.Study,
    trial: optuna.Trial,
    folder: Path,
    objective: TrialFunction,
    seed: int,
    started: float,
    events: EventLog | None,
) -> TrialOutcome:
    """Run a claimed trial and record in the study how it ended.

    Raises:
        UpdateFinishedTrialError: Another process has ended the trial.
    """
    state, value, values, reason = TrialState.FAIL, None, None, ""
    measured = peak_memory.reset_peak()
    try:
        result = objective(OpenTrial(trial, folder, seed + sequence_number(study, trial), events))
        if not math.isfinite(result.value):
            raise FloatingPointError(f"the objective is {result.value}")
        for name, attribute in result.attributes.items():
            trial.set_user_attr(name, attribute)
        state, value, reason = TrialState.COMPLETE, result.value, result.note
        values = [value, *result.also]
    except optuna.TrialPruned as pruned:
        state, reason = TrialState.PRUNED, str(pruned)
    except (UserError, optuna.exceptions.UpdateFinishedTrialError):
        raise
    except Exception as error:
        if is_server_error(error) or is_full_disk(error):
            raise
        reason = failure_reason(error)
        write_text(folder / ERROR, traceback.format_exc())
    seconds = round(time.monotonic() - started, 2)
    trial.set_user_attr(records.SECONDS, seconds)
    if measured and (peak := peak_memory.peak_megabytes()) is not None:
        trial.set_user_attr(records.PEAK_MB, peak)
    if reason:
        trial.set_user_attr(records.REASON, reason)
    stage = stage_of(study)
    outcome = TrialOutcome(stage, trial.number, records.STATES[state], value, seconds, reason)
    hyperparameters = trial.user_attrs.get(records.HYPERPARAMETERS, {})
    facts = dataclasses.asdict(outcome) | {
        "stage": stage.name,
        "hyperparameters": hyperparameters,
    }
    if found := trial.user_attrs.get(records.METHOD_AUC):
        facts[records.METHOD_AUC] = found
    write_json(folder / "metrics.json", facts)
    if events is not None:
        events.end(hyperparameters, value, state == TrialState.COMPLETE)
    study.tell(trial, values, state=state)
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    return outcome


def is_full_disk(error: BaseException) -> bool:
    """Return whether an error is a full disk or quota, which every other trial would meet."""
    return isinstance(error, OSError) and error.errno in _FULL


def _full(error: OSError, run: RunDirectory) -> UserError | None:
    if not is_full_disk(error):
        return None
    fault = f"{error.filename or run.root}: {error.strerror}"
    return UserError(f"{fault}; free some space and repeat the command to resume")


def failure_reason(error: BaseException) -> str:
    """Return one line for the leaderboard; messages of TensorFlow have many."""
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "ResourceExhaustedError":
        return OUT_OF_MEMORY
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{name}: {lines[0][:300]}" if lines else name


def _keep_best(run: RunDirectory, study: optuna.Study, count: int) -> None:
    """Remove the models and pictures of all ended trials except the best ``count``."""
    stage = stage_of(study)
    # Listed first, so that trials that another worker completes meanwhile are not removed.
    trials = study.get_trials(deepcopy=False)
    kept = {trial.number for trial in best_trials(study, count)}
    for trial in trials:
        if trial.state.is_finished() and trial.number not in kept:
            for name in (MODEL_FILE, *GAN_FILES, GAN_GRID):
                (run.trial(stage, trial.number) / name).unlink(missing_ok=True)
