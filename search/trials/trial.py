"""One trial: claimed from the study, run in its folder, told to the study whatever happens."""

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
from search.config.run_config import RunConfig
from search.studies import study as studies
from search.studies.pruners import pruner
from search.studies.samplers import RepeatableSampler
from search.studies.storage import is_of_server
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
    """What a complete trial leaves in its study: the objective, and attributes beside it.

    ``note`` says what it had to do without, if anything; ``also`` are the further values of a
    search with several objectives.
    """

    value: float
    attributes: Mapping[str, Any]
    note: str = ""
    also: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class TrialOutcome:
    """How a trial ended, for whoever started it; ``state`` as in the leaderboard."""

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
        optuna: the trial itself.
        folder: for its files.
        seed: of everything random in it; the same when it is retried.
        events: for TensorBoard, if wanted.
    """

    optuna: optuna.Trial
    folder: Path
    seed: int
    events: EventLog | None = None

    def record(self, row: Mapping[str, float | str]) -> None:
        """Add a row to ``history.csv``, so that curves can be read while the trial runs."""
        path = self.folder / HISTORY
        begun = path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            if not begun:
                writer.writeheader()
            writer.writerow(row)
        if self.events is not None:
            self.events.row(row)


TrialFunction = Callable[[OpenTrial], TrialResult]


class NoWaitingTrialError(DfsearchError):
    """No trial waits to be run; another worker was quicker."""


def run_trial(
    config: RunConfig, stage: Stage, steps: int, objective: TrialFunction
) -> TrialOutcome:
    """Claim a trial that waits, run the objective on it, and record how it ended.

    Nothing the objective raises leaves this function but an interruption and what every other
    trial would meet as well: the trial is told complete, pruned, or failed with its reason, and
    ``error.txt`` in its folder has the traceback.

    Args:
        config: of the run.
        stage: name of the study.
        steps: how often a trial reports at most.
        objective: runs the trial.

    Raises:
        NoTicketError: no trial waits.
        UserError: the objective's, or the disk is full; the trial is left to be retried.
        StorageInternalError, SQLAlchemyError: the storage is gone; likewise.
    """
    run = RunDirectory(config.run_dir)
    study = studies.open_study(run.journal, stage)
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
        # A worker that joined from a host without it still does its trials.
        if config.tensorboard and has_tensorboard():
            events = EventLog(run.events(stage, trial.number), f"{stage}/{trial.number}")
        with keep_heartbeat(folder / HEARTBEAT, beats), limit_time(folder, limits.trial_minutes):
            outcome = _run(study, trial, folder, objective, config.seed, started, events)
    except optuna.exceptions.UpdateFinishedTrialError:
        # Silent for so long that the run took this worker for dead, and had the trial repeated.
        seconds = round(time.monotonic() - started, 2)
        return TrialOutcome(stage, trial.number, "failed", None, seconds, studies.INTERRUPTED)
    except OSError as error:
        raise _full(error, run) or error from None
    _keep_best(run, study, config.kept)
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
    """Run a claimed trial and tell the study how it ended.

    Raises:
        UpdateFinishedTrialError: it was ended from elsewhere.
    """
    state, value, values, reason = TrialState.FAIL, None, None, ""
    measured = peak_memory.reset_peak()
    try:
        result = objective(OpenTrial(trial, folder, seed + studies.draw(study, trial), events))
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
        if is_of_server(error) or is_full_disk(error):
            raise
        reason = failure_reason(error)
        write_text(folder / ERROR, traceback.format_exc())
    seconds = round(time.monotonic() - started, 2)
    trial.set_user_attr(records.SECONDS, seconds)
    if measured and (peak := peak_memory.peak_megabytes()) is not None:
        trial.set_user_attr(records.PEAK_MB, peak)
    if reason:
        trial.set_user_attr(records.REASON, reason)
    stage = studies.stage_of(study)
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
    """Whether an error is of a disk or quota that is full, which every other trial would meet."""
    return isinstance(error, OSError) and error.errno in _FULL


def _full(error: OSError, run: RunDirectory) -> UserError | None:
    if not is_full_disk(error):
        return None
    said = f"{error.filename or run.root}: {error.strerror}"
    return UserError(f"{said}; make room, and the same command goes on")


def failure_reason(error: BaseException) -> str:
    """One line for the leaderboard; TensorFlow's own run over pages."""
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "ResourceExhaustedError":
        return OUT_OF_MEMORY
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{name}: {lines[0][:300]}" if lines else name


def _keep_best(run: RunDirectory, study: optuna.Study, count: int) -> None:
    """Remove the models and pictures of all ended trials but the best ``count``."""
    stage = studies.stage_of(study)
    # First, so that what another worker completes meanwhile is not taken for one of the others.
    trials = study.get_trials(deepcopy=False)
    kept = {trial.number for trial in studies.best(study, count)}
    for trial in trials:
        if trial.state.is_finished() and trial.number not in kept:
            for name in (MODEL_FILE, *GAN_FILES, GAN_GRID):
                (run.trial(stage, trial.number) / name).unlink(missing_ok=True)
