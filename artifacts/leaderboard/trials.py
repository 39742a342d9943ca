"""Rows of Optuna trials, before they are ranked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from optuna.trial import FrozenTrial, TrialState

from artifacts import records
from artifacts.leaderboard.descriptions import Architectures, describe
from artifacts.leaderboard.rows import Row
from artifacts.records import (
    STATES,
    GanFigures,
    ModelCost,
    TrainingEffort,
    TrialRecord,
    ValidationFigures,
)
from artifacts.stages import ARCHITECTURE, STAGE_OF

NO_LATENCIES: Mapping[str, float] = {}


def trial_rows(
    trials: Mapping[str, Iterable[FrozenTrial]], latencies: Mapping[str, float] = NO_LATENCIES
) -> list[Row]:
    """Return a row of every trial, in the order given.

    Args:
        trials: Trials of each stage.
        latencies: Latencies measured at the end of the run, by the name of the record.
    """
    given = [(stage, trial) for stage, group in trials.items() for trial in group]
    architectures = architecture_choices(
        trial for stage, trial in given if stage == ARCHITECTURE.name
    )
    front = _pareto_front(trial for stage, trial in given if STAGE_OF[stage].builds_detectors)
    return [
        Row(record_trial(stage, trial, architectures, latencies), on_front=front.get(id(trial)))
        for stage, trial in given
    ]


def architecture_choices(trials: Iterable[FrozenTrial]) -> Architectures:
    """Return the hyperparameters of architecture trials by their number."""
    return {
        str(trial.number): trial.user_attrs.get(records.HYPERPARAMETERS, {}) for trial in trials
    }


def record_trial(
    stage: str,
    trial: FrozenTrial,
    architectures: Architectures,
    latencies: Mapping[str, float] = NO_LATENCIES,
) -> TrialRecord:
    """Return the record of one trial.

    Args:
        stage: Stage of the trial.
        trial: The trial.
        architectures: Result of :func:`architecture_choices`.
        latencies: Latencies by the name of the record; those measured by the trial come first.
    """
    attributes, is_detector = trial.user_attrs, STAGE_OF[stage].builds_detectors
    chosen = attributes.get(records.HYPERPARAMETERS, {})
    value = _last_value(trial)
    gan = GanFigures() if is_detector else _gan_figures(trial, value)
    measured = latencies.get(f"{stage}/{trial.number}")
    return TrialRecord(
        stage=stage,
        trial=trial.number,
        state=STATES[trial.state],
        reason=attributes.get(records.REASON, ""),
        hyperparameters=chosen,
        validation=_validation_figures(trial, value) if is_detector else ValidationFigures(),
        gan=gan,
        cost=ModelCost(
            params=attributes.get(records.PARAMS),
            file_mb=attributes.get(records.FILE_MB),
            latency_ms=attributes.get(records.LATENCY_MS, measured),
            objective=_second_objective(trial),
        ),
        effort=TrainingEffort(
            seconds=attributes.get(records.SECONDS),
            samples=attributes.get(records.SAMPLES, _reported(trial)) if is_detector else None,
            samples_asked=attributes.get(records.SAMPLES_ASKED),
            best_samples=attributes.get(records.BEST_SAMPLES),
            peak_mb=attributes.get(records.PEAK_MB),
        ),
        description=describe(stage, chosen, architectures, gan),
    )


def _last_value(trial: FrozenTrial) -> float | None:
    """Return the value of a complete trial, else the last that it reported."""
    value = trial.values[0] if trial.state == TrialState.COMPLETE and trial.values else None
    if value is None and trial.intermediate_values:
        value = trial.intermediate_values[max(trial.intermediate_values)]
    return _finite(value)


def _validation_figures(trial: FrozenTrial, value: float | None) -> ValidationFigures:
    attributes = trial.user_attrs
    # With leave-one-method-out, the reports are scores on the methods left out.
    default = None if records.METHOD_AUC in attributes else value
    return ValidationFigures(
        objective=value,
        auc=attributes.get(records.VAL_AUC, default),
        log_loss=attributes.get(records.VAL_LOG_LOSS),
        pseudo_auc=attributes.get(records.VAL_PSEUDO_AUC),
        pair_ranking=attributes.get(records.VAL_PAIR_RANKING),
        method_auc=attributes.get(records.METHOD_AUC),
    )


def _gan_figures(trial: FrozenTrial, value: float | None) -> GanFigures:
    attributes = trial.user_attrs
    return GanFigures(
        kid=value,
        kid_error=_finite(attributes.get(records.KID_ERROR)),
        kid_features=attributes.get(records.KID_FEATURES, ""),
        discriminator_auc=attributes.get(records.DETECTOR_AUC),
    )


def _reported(trial: FrozenTrial) -> int | None:
    """Return the number of samples after which a detector last reported."""
    epoch_samples = trial.user_attrs.get(records.EPOCH_SAMPLES)
    # With leave-one-method-out, the reports count methods.
    if records.METHOD_AUC in trial.user_attrs or not (trial.intermediate_values and epoch_samples):
        return None
    return max(trial.intermediate_values) * int(epoch_samples)


def _second_objective(trial: FrozenTrial) -> str:
    """Return the column of the second objective in a search with two."""
    if not trial.values or len(trial.values) < 2:
        return ""
    size = trial.user_attrs.get(records.FILE_MB)
    return records.FILE_MB if size == trial.values[1] else records.LATENCY_MS


def _pareto_front(trials: Iterable[FrozenTrial]) -> dict[int, bool]:
    """Return whether each complete trial with a score and a cost is on the Pareto front."""
    scored = {
        id(trial): (-trial.values[0], trial.values[1])
        for trial in trials
        if trial.state == TrialState.COMPLETE and trial.values and len(trial.values) == 2
    }

    def is_dominated(ours: tuple[float, float]) -> bool:
        return any(
            theirs != ours and theirs[0] <= ours[0] and theirs[1] <= ours[1]
            for theirs in scored.values()
        )

    return {key: not is_dominated(ours) for key, ours in scored.items()}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
