"""What a trial leaves in its Optuna study, and how it reads in a table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

HYPERPARAMETERS = "hyperparameters"
PARAMS = "params"
REASON = "reason"
SECONDS = "seconds"
VAL_LOG_LOSS = "val_log_loss"

DETECTOR_STAGES = ("architecture", "training")


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """One row of the leaderboard.

    Attributes:
        rank: 1 is best; ``None`` for trials without a validation AUC of their own.
        stage: ``architecture``, ``gan`` or ``training``.
        trial: number within the stage.
        state: ``complete``, ``pruned``, ``failed``, ``running`` or ``waiting``.
        val_auc: on the validation split, at the best epoch; of a trial that did not complete, at
            its last.
        val_log_loss: at that epoch; orders equal AUCs.
        kid: of a GAN trial, lowest best.
        params: weights of the model.
        seconds: from start to end.
        reason: why it was pruned or failed, or what it had to do without.
        hyperparameters: every active choice by its name.
    """

    rank: int | None
    stage: str
    trial: int
    state: str
    val_auc: float | None
    val_log_loss: float | None
    kid: float | None
    params: int | None
    seconds: float | None
    reason: str
    hyperparameters: Mapping[str, Any]


STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def ranked(trials: Mapping[str, Iterable[FrozenTrial]]) -> list[TrialRecord]:
    """Records of all trials: detectors best first, then the GAN's, then what did not complete.

    Args:
        trials: of each stage.
    """
    records = [_record(stage, trial) for stage, ours in trials.items() for trial in ours]
    records.sort(key=_order)
    placed: list[TrialRecord] = []
    for record in records:
        if record.val_auc is not None and record.state == "complete":
            record = dataclasses.replace(record, rank=len(placed) + 1)
        placed.append(record)
    return placed


def _record(stage: str, trial: FrozenTrial) -> TrialRecord:
    attributes = trial.user_attrs
    is_detector = stage in DETECTOR_STAGES
    value = trial.value if trial.state == TrialState.COMPLETE else None
    if value is None and trial.intermediate_values:
        value = trial.intermediate_values[max(trial.intermediate_values)]
    if value is not None and not math.isfinite(value):
        value = None
    return TrialRecord(
        rank=None,
        stage=stage,
        trial=trial.number,
        state=STATES[trial.state],
        val_auc=value if is_detector else None,
        val_log_loss=attributes.get(VAL_LOG_LOSS),
        kid=None if is_detector else value,
        params=attributes.get(PARAMS),
        seconds=attributes.get(SECONDS),
        reason=attributes.get(REASON, ""),
        hyperparameters=attributes.get(HYPERPARAMETERS, {}),
    )


def _order(record: TrialRecord) -> tuple[bool, bool, float, float, str, int]:
    worst = float("inf")
    score = -record.val_auc if record.val_auc is not None else record.kid
    return (
        record.state != "complete",
        record.stage == "gan",
        worst if score is None else score,
        worst if record.val_log_loss is None else record.val_log_loss,
        record.stage,
        record.trial,
    )
