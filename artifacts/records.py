"""What a trial leaves in its Optuna study, and how it reads in a table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from artifacts.stages import GAN, STAGE_OF
from data_prep.bootstrap import Interval

HYPERPARAMETERS = "hyperparameters"
PARAMS = "params"
REASON = "reason"
SECONDS = "seconds"
VAL_AUC = "val_auc"
VAL_LOG_LOSS = "val_log_loss"
VAL_PSEUDO_AUC = "val_pseudo_auc"
VAL_PAIR_RANKING = "val_pair_ranking"
VAL_OWN = "val_objective"
KID_ERROR = "kid_error"
KID_FEATURES = "kid_features"
DETECTOR_AUC = "detector_auc"
METHOD_AUC = "method_auc"
FILE_MB = "file_mb"
LATENCY_MS = "latency_ms"
PEAK_MB = "peak_mb"
EPOCHS = "epochs"
EPOCHS_ASKED = "epochs_asked"
BEST_EPOCH = "best_epoch"

UNTRAINED = "untrained"
"""The stage of rows that are no trials: scores that need no training."""


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """One row of the leaderboard.

    Attributes:
        rank: 1 is best by ``objective``; ``None`` for trials without one of their own.
        stage: ``architecture``, ``gan`` or ``training``; ``ensemble`` for a mean of trials,
            ``untrained`` for a quantity that needs no training.
        trial: number within the stage.
        state: ``complete``, ``pruned``, ``failed``, ``running`` or ``waiting``.
        val_auc: on the validation split, at the best epoch; of a trial that did not complete, at
            its last; None of one that was stopped while methods were left out.
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
        file_mb: of its model file, 10^6 bytes.
        latency_ms: for one clip on the machine that ran the search, if measured.
        on_front: of a search with two objectives, whether no complete trial is better in one and
            as good in the other.
        cost: of a search with two objectives, which column the second is.
        val_auc_ci: 95% interval of ``val_auc`` over identity groups; None without the scores of
            the clips, or with too few people.
        val_eer: equal error rate on the same clips.
        tied_with_best: whether ``val_auc`` is not shown to be below that of the best row, see
            :mod:`artifacts.leaderboard.ties`; None where that cannot be told.
        peak_mb: most memory that the worker process held in RAM during the trial, 10^6 bytes.
        epochs: that it was trained for: fewer than asked where it was pruned or failed.
        epochs_asked: that it was to have.
        best_epoch: the one whose weights were kept, from 1.
        lineage: ``STAGE/TRIAL`` of what it was made from: the architecture of a training, the
            members of an ensemble.
        streams: of its detector.
        backbone: of the spatial stream, and what follows it in time.
        what: what it tried, in a few words.
        run: which run it is of, where several are compared.
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
    cost: str = ""
    val_auc_ci: Interval = None
    val_eer: float | None = None
    tied_with_best: bool | None = None
    peak_mb: float | None = None
    epochs: int | None = None
    epochs_asked: int | None = None
    best_epoch: int | None = None
    lineage: str = ""
    streams: tuple[str, ...] = ()
    backbone: str = ""
    what: str = ""
    run: str = ""

    @property
    def name(self) -> str:
        """Of the trial and of its folder: ``architecture/3``."""
        return f"{self.stage}/{self.trial}"


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
    front = _front([trial for stage, trial in given if STAGE_OF[stage].builds_detectors])
    records = [
        dataclasses.replace(_record(stage, trial), on_front=front.get(id(trial)))
        for stage, trial in given
    ]
    return placed([*records, *others])


def placed(records: Iterable[TrialRecord], *, by_auc: bool = False) -> list[TrialRecord]:
    """Records in the order of merit, with their ranks.

    What needs no training has no rank and stands among the detectors by its AUC: all below it have
    a lower one.

    Args:
        records: in any order.
        by_auc: whether ranks follow the validation AUC, whatever was optimised.
    """
    records = list(records)
    ordered = [record for record in records if record.stage != UNTRAINED]
    ordered.sort(key=lambda record: _order(record, record.val_auc if by_auc else record.objective))
    for place, record in enumerate(ordered):
        ranks = record.objective is not None and record.state == "complete"
        ordered[place] = dataclasses.replace(record, rank=place + 1 if ranks else None)
    untrained = [record for record in records if record.stage == UNTRAINED]
    for record in sorted(untrained, key=lambda record: (-(record.val_auc or 0), record.trial)):
        above = [
            place
            for place, other in enumerate(ordered)
            if (other.rank or other.stage == UNTRAINED)
            and (other.val_auc or 0) >= (record.val_auc or 0)
        ]
        ordered.insert(above[-1] + 1 if above else 0, record)
    return ordered


def _record(stage: str, trial: FrozenTrial) -> TrialRecord:
    attributes = trial.user_attrs
    is_detector = STAGE_OF[stage].builds_detectors
    value = trial.values[0] if trial.state == TrialState.COMPLETE and trial.values else None
    if value is None and trial.intermediate_values:
        value = trial.intermediate_values[max(trial.intermediate_values)]
    value = _finite(value)
    # Where methods are left out, what was reported is of these.
    val_auc = attributes.get(VAL_AUC, None if METHOD_AUC in attributes else value)
    return TrialRecord(
        rank=None,
        stage=stage,
        trial=trial.number,
        state=STATES[trial.state],
        val_auc=val_auc if is_detector else None,
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
        cost=_cost(trial),
        peak_mb=attributes.get(PEAK_MB),
        epochs=attributes.get(EPOCHS, _reported(trial)) if is_detector else None,
        epochs_asked=attributes.get(EPOCHS_ASKED),
        best_epoch=attributes.get(BEST_EPOCH),
    )


def _reported(trial: FrozenTrial) -> int | None:
    """The last epoch that a detector reported; where methods are left out, these were reported."""
    if METHOD_AUC in trial.user_attrs or not trial.intermediate_values:
        return None
    return max(trial.intermediate_values)


def _cost(trial: FrozenTrial) -> str:
    """The column of the second objective of a search that has two."""
    if not trial.values or len(trial.values) < 2:
        return ""
    attributes = trial.user_attrs
    return FILE_MB if attributes.get(FILE_MB) == trial.values[1] else LATENCY_MS


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


def _order(record: TrialRecord, value: float | None) -> tuple[bool, bool, float, float, str, int]:
    worst = float("inf")
    score = -value if value is not None else record.kid
    return (
        record.state != "complete",
        record.stage == GAN.name,
        worst if score is None else score,
        worst if record.val_log_loss is None else record.val_log_loss,
        record.stage,
        record.trial,
    )
