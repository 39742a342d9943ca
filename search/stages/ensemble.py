"""An ensemble of the trials whose models a run has kept, if it validates better than one model."""

from __future__ import annotations

import time

import keras
import numpy as np
import numpy.typing as npt
from optuna.trial import FrozenTrial

from artifacts import records
from artifacts.ensemble_record import STAGE, EnsembleRecord, Member
from artifacts.leaderboard.validation_split import write_scores
from artifacts.models.ensemble import merge_models
from artifacts.run_directory import RunDirectory
from artifacts.stages import DETECTOR_STAGES, Stage
from data_prep.store.store import Store
from search.config.names import GENERALISATION
from search.config.run_config import RunConfig
from search.detectors.limits import latency_ms
from search.features.cache import FeatureCache
from search.features.suffix import cut_prefix
from search.samples.samples import Samples, validation_samples
from search.stages.ensemble_selection import select
from search.studies.study import (
    best_trials,
    open_study,
)
from search.training.objectives import ValidationScore
from search.training.predictions import Probabilities, predict_samples, score_samples
from search.trials.trial import MODEL_FILE, failure_reason

_BYTES_A_WEIGHT = 4

Candidate = tuple[Stage, FrozenTrial]


def better_ensemble(
    config: RunConfig, run: RunDirectory, store: Store, single: ValidationScore
) -> tuple[keras.Model | None, EnsembleRecord]:
    """Average kept models where that validates better than the single best one.

    Candidates are the models of both detector stages that the run has kept. Each is scored on the
    validation samples of the run's objective, and so is every mean that
    :func:`search.stages.ensemble_selection.select` tries. If a file is missing or a
    model does not load, the ensemble fails, not the run.

    Args:
        config: Run configuration; ``ensemble`` is the largest number of models.
        run: its directory.
        store: its store, open.
        single: score of the model that is exported without an ensemble.

    Returns:
        The merged model, or ``None`` if the single one is to be exported, and the record.
    """
    started = time.monotonic()
    try:
        model, record = _try(config, run, store, single)
    except Exception as error:
        model, record = None, EnsembleRecord(seconds=0, reason=failure_reason(error))
    return model, record.model_copy(update={"seconds": round(time.monotonic() - started, 2)})


def _try(
    config: RunConfig, run: RunDirectory, store: Store, single: ValidationScore
) -> tuple[keras.Model | None, EnsembleRecord]:
    candidates = _candidates(config, run)
    if not candidates:
        return None, EnsembleRecord(seconds=0, reason="not exported: no model of a trial is kept")
    val = validation_samples(
        store,
        pseudo_fakes=config.objective == GENERALISATION,
        frames=config.training.frames,
    )
    cache = FeatureCache(run.features, config.features_bytes)
    said = [_predict(_load(run, candidate), val, cache) for candidate in candidates]

    def score_of(probabilities: npt.NDArray[np.floating]) -> ValidationScore:
        return score_samples(probabilities, val, config.objective)

    chosen = select(said, lambda mean: score_of(mean).order, config.ensemble)

    ours = [candidates[place] for place in chosen]
    members = tuple(
        Member(
            stage=stage.name,
            trial=trial.number,
            weight=weight,
            objective=score_of(said[place]).value,
            hyperparameters=trial.user_attrs[records.HYPERPARAMETERS],
        )
        for (stage, trial), (place, weight) in zip(ours, chosen.items(), strict=True)
    )
    mean = np.average([said[place] for place in chosen], axis=0, weights=list(chosen.values()))
    score = score_of(mean)
    folder = run.trial(STAGE, 0)
    folder.mkdir(parents=True, exist_ok=True)
    write_scores(folder, mean[: len(val.parts[0])])
    record = EnsembleRecord(
        members=members, objective=score.value, validation=score.row, seconds=0, reason=""
    )
    if len(members) == 1:
        reason = f"not exported: no mean of several validates better than {members[0].name}"
        params = ours[0][1].user_attrs.get(records.PARAMS)
        return None, record.model_copy(update={"reason": reason, "params": params})
    models = {f"{stage}_{trial.number}": _load(run, (stage, trial)) for stage, trial in ours}
    model = merge_models(models, list(chosen.values()))
    beyond = _beyond(config, model, store)
    exported = not beyond and score.order < single.order
    reason = "exported"
    if not exported:
        reason = f"not exported: {beyond or 'the single model validates as well'}"
    facts = {"params": model.count_params(), "exported": exported, "reason": reason}
    return (model if exported else None), record.model_copy(update=facts)


def _candidates(config: RunConfig, run: RunDirectory) -> list[Candidate]:
    """Return the kept trials of both detector stages, best first within a stage."""
    return [
        (stage, trial)
        for stage in DETECTOR_STAGES
        for trial in best_trials(open_study(run, stage), config.kept_trials)
        if (run.trial(stage, trial.number) / MODEL_FILE).is_file()
    ]


def _load(run: RunDirectory, candidate: Candidate) -> keras.Model:
    stage, trial = candidate
    path = run.trial(stage, trial.number) / MODEL_FILE
    return keras.models.load_model(path, compile=False)


def _predict(model: keras.Model, val: Samples, cache: FeatureCache) -> Probabilities:
    """Return the probabilities (S,) of the validation samples; frozen parts use the cache."""
    with cut_prefix(model, cache, None, val) as suffix:
        return predict_samples(suffix, val)


def _beyond(config: RunConfig, model: keras.Model, store: Store) -> str:
    """Describe the limit of the run that a merged model breaks, empty without one."""
    limits, params = config.limits, model.count_params()
    if 0 < limits.params < params:
        return f"{params:,} params, the limit is {limits.params:,}"
    size = params * _BYTES_A_WEIGHT / 1e6
    if 0 < limits.file_mb < size:
        return f"a file of {size:.3g} MB, the limit is {limits.file_mb:.12g} MB"
    if limits.latency_ms:
        taken = latency_ms(model, store)
        if taken > limits.latency_ms:
            return f"{taken:.3g} ms a clip, the limit is {limits.latency_ms:.12g} ms"
    return ""
