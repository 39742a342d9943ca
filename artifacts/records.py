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
VAL_AUC = "val_auc"
VAL_LOG_LOSS = "val_log_loss"
VAL_PSEUDO_AUC = "val_pseudo_auc"
VAL_PAIR_RANKING = "val_pair_ranking"
KID_ERROR = "kid_error"
KID_FEATURES = "kid_features"
DETECTOR_AUC = "detector_auc"
METHOD_AUC = "method_auc"
FILE_MB = "file_mb"
LATENCY_MS = "latency_ms"

DETECTOR_STAGES = ("architecture", "training")


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """One row of the leaderboard.

    Attributes:
        rank: 1 is best by ``objective``; ``None`` for trials without one of their own.
        stage: ``architecture``, ``gan`` or ``training``; ``ensemble`` for a mean of trials.
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
        kid_error: standard error of ``kid``.
        kid_features: of which network ``kid`` is.
        detector_auc: of a GAN's discriminator alone, as a detector of validation clips.
        objective: of a detector trial, what the search optimised, at the same epoch as ``val_auc``.
        val_pseudo_auc: of real validation clips against their pseudo-fakes, if looked at.
        val_pair_ranking: how often a pseudo-fake scored above its own clip, if looked at.
        method_auc: of real validation clips against the fakes of each method by a detector
            trained without it, if looked at.
        file_mb: of its model file, if looked at.
        latency_ms: for one clip on the machine that trained it, if looked at.
        on_front: of a search with two objectives, whether no complete trial is better in one and
            as good in the other.
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
    kid_error: float | None = None
    kid_features: str = ""
    detector_auc: float | None = None
    objective: float | None = None
    val_pseudo_auc: float | None = None
    val_pair_ranking: float | None = None
    method_auc: Mapping[str, float] | None = None
    file_mb: float | None = None
    latency_ms: float | None = None
    on_front: bool | None = None


STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def ranked(
    trials: Mapping[str, Iterable[FrozenTrial]], others: Iterable[TrialRecord] = ()
) -> list[TrialRecord]:
    """Records of all trials: detectors best first, then the GAN's, then what did not complete.

    Args:
        trials: of each stage.
        others: that are no trials and take their place among them: an ensemble.
    """
    given = [(stage, trial) for stage, ours in trials.items() for trial in ours]
    front = _front([trial for stage, trial in given if stage in DETECTOR_STAGES])
    records = [
        dataclasses.replace(_record(stage, trial), on_front=front.get(id(trial)))
        for stage, trial in given
    ]
    records.extend(others)
    records.sort(key=_order)
    placed: list[TrialRecord] = []
    for record in records:
        if record.objective is not None and record.state == "complete":
            record = dataclasses.replace(record, rank=len(placed) + 1)
        placed.append(record)
    return placed


def _record(stage: str, trial: FrozenTrial) -> TrialRecord:
    attributes = trial.user_attrs
    is_detector = stage in DETECTOR_STAGES
    value = trial.values[0] if trial.state == TrialState.COMPLETE and trial.values else None
    if value is None and trial.intermediate_values:
        value = trial.intermediate_values[max(trial.intermediate_values)]
    value = _finite(value)
    return TrialRecord(
        rank=None,
        stage=stage,
        trial=trial.number,
        state=STATES[trial.state],
        val_auc=attributes.get(VAL_AUC, value) if is_detector else None,
        val_log_loss=attributes.get(VAL_LOG_LOSS),
        kid=None if is_detector else value,
        params=attributes.get(PARAMS),
        seconds=attributes.get(SECONDS),
        reason=attributes.get(REASON, ""),
        hyperparameters=attributes.get(HYPERPARAMETERS, {}),
        kid_error=_finite(attributes.get(KID_ERROR)),
        kid_features=attributes.get(KID_FEATURES, ""),
        detector_auc=attributes.get(DETECTOR_AUC),
        objective=value if is_detector else None,
        val_pseudo_auc=attributes.get(VAL_PSEUDO_AUC),
        val_pair_ranking=attributes.get(VAL_PAIR_RANKING),
        method_auc=attributes.get(METHOD_AUC),
        file_mb=attributes.get(FILE_MB),
        latency_ms=attributes.get(LATENCY_MS),
    )


def _front(trials: Iterable[FrozenTrial]) -> dict[int, bool]:
    """Of each complete trial with two values, a score and a cost, whether it is on the front."""
    scored = {
        id(trial): (-trial.values[0], trial.values[1])
        for trial in trials
        if trial.state == TrialState.COMPLETE and trial.values and len(trial.values) == 2
    }

    def is_beaten(ours: tuple[float, float]) -> bool:
        return any(
            theirs != ours and theirs[0] <= ours[0] and theirs[1] <= ours[1]
            for theirs in scored.values()
        )

    return {place: not is_beaten(ours) for place, ours in scored.items()}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _order(record: TrialRecord) -> tuple[bool, bool, float, float, str, int]:
    worst = float("inf")
    score = -record.objective if record.objective is not None else record.kid
    return (
        record.state != "complete",
        record.stage == "gan",
        worst if score is None else score,
        worst if record.val_log_loss is None else record.val_log_loss,
        record.stage,
        record.trial,
    )
