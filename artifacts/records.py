"""Records of trials, ensembles and baselines, and the names that trials leave in their study."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
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
VAL_OWN = "val_objective"
KID_ERROR = "kid_error"
KID_FEATURES = "kid_features"
DETECTOR_AUC = "detector_auc"
METHOD_AUC = "method_auc"
FILE_MB = "file_mb"
LATENCY_MS = "latency_ms"
PEAK_MB = "peak_mb"
SAMPLES = "samples"
SAMPLES_ASKED = "samples_asked"
EPOCH_SAMPLES = "epoch_samples"
BEST_SAMPLES = "best_samples"

_TEXTS = (REASON, KID_FEATURES)
_NUMBERS = (
    *(PARAMS, SECONDS, VAL_AUC, VAL_LOG_LOSS, VAL_PSEUDO_AUC, VAL_PAIR_RANKING, VAL_OWN),
    *(KID_ERROR, DETECTOR_AUC, FILE_MB, LATENCY_MS, PEAK_MB),
    *(SAMPLES, SAMPLES_ASKED, EPOCH_SAMPLES, BEST_SAMPLES),
)
_MAPPINGS = (HYPERPARAMETERS, METHOD_AUC)

BASELINE = "untrained"
"""Stage of the baselines, as ``leaderboard.csv`` names it."""

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def faulty_attribute(trial: FrozenTrial) -> str:
    """Return the name of an attribute of a trial that no worker leaves so; empty if none is."""
    known = trial.user_attrs
    faults = [name for name in _TEXTS if not isinstance(known.get(name, ""), str)]
    faults += [name for name in _MAPPINGS if not isinstance(known.get(name, {}), dict)]
    faults += [name for name in _NUMBERS if not _is_number(known.get(name))]
    if not faults and not all(_is_number(each) for each in known.get(METHOD_AUC, {}).values()):
        return METHOD_AUC
    reported = (*(trial.values or ()), *trial.intermediate_values.values())
    # Training that diverges can report what is not finite.
    if not all(isinstance(each, float) or _is_number(each) for each in reported):
        return "value"
    return faults[0] if faults else ""


def _is_number(value: object) -> bool:
    """Return whether a value is none, or a finite number that fits 64 bits."""
    if isinstance(value, int):
        return abs(value) < 2**63
    return value is None or (isinstance(value, float) and math.isfinite(value))


@dataclasses.dataclass(frozen=True)
class ValidationFigures:
    """Scores of a detector on the validation split.

    They are those of the best epoch; of a trial that did not complete, those of its last epoch.

    Attributes:
        objective: Objective of the search.
        auc: None for a trial that was stopped while methods were left out.
        log_loss: Orders equal scores.
        pseudo_auc: AUC of real clips against their pseudo-fakes, if measured.
        pair_ranking: Share of pseudo-fakes that score above their own original, if measured.
        method_auc: AUC on the fakes of each method by a detector trained without it, if measured.
    """

    objective: float | None = None
    auc: float | None = None
    log_loss: float | None = None
    pseudo_auc: float | None = None
    pair_ranking: float | None = None
    method_auc: Mapping[str, float] | None = None


@dataclasses.dataclass(frozen=True)
class GanFigures:
    """Scores of a GAN trial.

    Attributes:
        kid: Kernel inception distance, lowest best.
        kid_error: Its standard error.
        kid_features: Network whose features it compares.
        discriminator_auc: AUC of the discriminator alone on validation clips.
    """

    kid: float | None = None
    kid_error: float | None = None
    kid_features: str = ""
    discriminator_auc: float | None = None


@dataclasses.dataclass(frozen=True)
class ModelCost:
    """Size and speed of a model.

    Attributes:
        params: Weights.
        file_mb: Size of the model file in 10^6 bytes.
        latency_ms: Time for one clip on the machine that ran the search, if measured.
        objective: Column of the second objective in a search with two.
    """

    params: int | None = None
    file_mb: float | None = None
    latency_ms: float | None = None
    objective: str = ""


@dataclasses.dataclass(frozen=True)
class TrainingEffort:
    """Time, memory and samples of a trial.

    Attributes:
        seconds: From start to end.
        samples: Shown in training; fewer than asked if the trial was pruned or failed.
        samples_asked: Planned.
        best_samples: Shown until the epoch whose weights were kept.
        peak_mb: Largest memory of the worker process in RAM during the trial, 10^6 bytes.
    """

    seconds: float | None = None
    samples: int | None = None
    samples_asked: int | None = None
    best_samples: int | None = None
    peak_mb: float | None = None


@dataclasses.dataclass(frozen=True)
class Description:
    """A trial in words.

    Attributes:
        what: Choices of the trial, in a few words.
        lineage: ``STAGE/TRIAL`` of its parents: the architecture of a training trial, the members
            of an ensemble.
        streams: Active streams of the detector.
        backbone: Backbone of the spatial stream and its temporal model.
    """

    what: str = ""
    lineage: str = ""
    streams: tuple[str, ...] = ()
    backbone: str = ""


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """A trial, an ensemble or a baseline, by itself.

    Attributes:
        stage: ``architecture``, ``gan`` or ``training``; ``ensemble`` for a mean of trials,
            ``untrained`` for a baseline.
        trial: Number within the stage.
        state: ``complete``, ``pruned``, ``failed``, ``running`` or ``waiting``.
        reason: Reason of a pruning or failure, or a missing part of the trial.
        hyperparameters: Every active choice by its name.
        validation: Scores of a detector.
        gan: Scores of a GAN.
        cost: Size and speed of its model.
        effort: Time, memory and samples.
        description: The trial in words.
    """

    stage: str
    trial: int
    state: str
    reason: str = ""
    hyperparameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    validation: ValidationFigures = ValidationFigures()
    gan: GanFigures = GanFigures()
    cost: ModelCost = ModelCost()
    effort: TrainingEffort = TrainingEffort()
    description: Description = Description()

    @property
    def name(self) -> str:
        """Name of the trial and of its folder: ``architecture/3``."""
        return f"{self.stage}/{self.trial}"
