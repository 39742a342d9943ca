"""The last step: refit the winner or average kept models, calibrate, test once, export."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from optuna.trial import FrozenTrial

from artifacts import records
from artifacts.certificate import Origin, Scored
from artifacts.evaluation.final_test import open_test_split
from artifacts.evaluation.scoring import join_videos, score_split
from artifacts.leaderboard.board import to_csv
from artifacts.leaderboard.load import load
from artifacts.metrics.metrics import best_threshold, calibrate
from artifacts.models.certify import Judgement, Provenance, certify
from artifacts.models.inference import score_clips
from artifacts.models.picture import draw_model
from artifacts.models.saved import check_saved_files, fold_calibration, plain_copy, save_model
from artifacts.run_directory import RunDirectory, write_text
from artifacts.stages import ARCHITECTURE, DETECTOR_STAGES, Stage
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.config.names import Objective
from search.config.run_config import RunConfig
from search.detectors.short_clips import build_short_detector
from search.detectors.space import build_detector, build_space
from search.features.cache import FeatureCache
from search.gan.trained_gans import load_walks
from search.stages import architecture, latencies, training
from search.stages.ensemble import better_ensemble
from search.studies.hyperparameters import fixed_hyperparameters
from search.studies.study import (
    best_trials,
    open_study,
    rank_key,
    read_trials,
)
from search.training.fit import TrainingTask, fit
from search.training.objectives import ValidationScore
from search.trials.trial import MODEL_FILE, failure_reason
from spaces.training.space import TrainingChoices

REFIT_SEED = 1_000_003


@dataclasses.dataclass(frozen=True)
class Winner:
    """The best trial of all stages, with its settings for another training."""

    stage: Stage
    trial: FrozenTrial
    architecture: Mapping[str, Any]
    choices: TrainingChoices


@dataclasses.dataclass(frozen=True)
class Single:
    """The best single model, its origin and its score on validation."""

    model: keras.Model
    origin: Origin
    score: ValidationScore


def finish(config: RunConfig) -> list[str]:
    """Turn the best trial, or a better ensemble of kept trials, into the artifacts of the run.

    The certificate is written last: where it stands, all else does.

    Returns:
        Lines on what could not be measured.

    Raises:
        UserError: no trial finished.
    """
    run = RunDirectory(config.run_dir)
    with Store(config.store) as store:
        winner = choose(config)
        single = _better_of_trial_and_refit(config, run, store, winner)
        model, ensemble = single.model, None
        if config.ensemble:
            better, ensemble = better_ensemble(config, run, store, single.score)
            ensemble.write(run)
            model = better or model

        val = store.rows("val")
        calibration = calibrate(store.labels[val], score_clips(model, store, val))
        fold_calibration(model, calibration)
        on_val = score_clips(model, store, val)
        threshold = threshold_of_videos(on_val, store, val)
        validation = score_split(
            on_val, store, val, split="val", threshold=threshold, seed=config.seed
        )

        # That of an extended run describes the earlier model.
        run.certificate.unlink(missing_ok=True)
        save_model(model, run)
        check_saved_files(run, model, store)
        draw_model(model, run.picture)
        tested = open_test_split(run, model, store, on_val, threshold=threshold, seed=config.seed)
        remarks = latencies.measure(config, run, store)
        write_leaderboard(run)
        certify(
            run,
            model,
            store,
            Provenance(
                single.origin,
                ensemble,
                dict(winner.architecture),
                dataclasses.asdict(winner.choices),
                config.seed,
            ),
            Judgement(
                threshold,
                calibration,
                validation,
                test=None if tested is None else tested.evaluation,
                test_opened=None if tested is None else tested.opened,
            ),
        ).write(run.certificate)
        return remarks


def threshold_of_videos(
    probabilities: npt.NDArray[np.float64], store: Store, rows: npt.NDArray[np.int64]
) -> float:
    """Return the best threshold of videos: the faces of a video count once, averaged.

    Args:
        probabilities: (n,), fake probabilities of the clips.
        store: store of these clips.
        rows: (n,), rows of these clips.
    """
    videos = join_videos(probabilities, store, rows)
    return best_threshold(videos.labels, videos.probabilities)


def choose(config: RunConfig) -> Winner:
    """Choose the best complete trial of the architecture and training stages.

    Raises:
        UserError: no trial is complete.
    """
    run = RunDirectory(config.run_dir)
    found = [
        (stage, trial)
        for stage in DETECTOR_STAGES
        for trial in best_trials(open_study(run, stage), 1)
    ]
    if not found:
        raise UserError(
            f"no trial of {run.root} finished; see why with: dfsearch leaderboard {run.root}"
        )
    stage, trial = min(found, key=lambda entry: rank_key(entry[1]))
    chosen = trial.user_attrs[records.HYPERPARAMETERS]
    if stage == ARCHITECTURE:
        return Winner(stage, trial, chosen, architecture.training_choices(config))
    study = open_study(run, ARCHITECTURE)
    number = int(chosen[training.CHOSEN_ARCHITECTURE])
    ground = study.trials[number].user_attrs[records.HYPERPARAMETERS]
    choices = training.training_choices(config, fixed_hyperparameters(chosen))
    return Winner(stage, trial, ground, choices)


def write_leaderboard(run: RunDirectory) -> None:
    """Write ``leaderboard.csv`` from all that is known of the trials and the ensemble."""
    write_text(run.leaderboard, to_csv(load(run, read_trials(run)).rows))


def _better_of_trial_and_refit(
    config: RunConfig, run: RunDirectory, store: Store, winner: Winner
) -> Single:
    """Train the winner once more from another seed; keep and report the better one on validation.

    A refit is a different model than the ranked trial, so it must validate better to replace it. If
    it fails, the trial remains.

    Raises:
        UserError: the refit failed and the trial's model file is gone.
    """
    seed = config.seed + REFIT_SEED
    refit: ValidationScore | None = None
    failure = ""
    try:
        graph, answers = (
            build_space(config, store),
            fixed_hyperparameters(dict(winner.architecture)),
        )
        trained = build_detector(graph, answers, seed, config.precision)
        refit = fit(
            trained,
            TrainingTask(
                store,
                FeatureCache(run.features, config.features_bytes),
                seed,
                objective=config.objective,
                walks=load_walks(config, store.clip_shape[0]) if winner.choices.gan_fakes else None,
            ),
            winner.choices,
            shorter=build_short_detector(config, store, answers, seed),
        ).best
        model = plain_copy(trained)
    except Exception as error:
        failure = failure_reason(error)
    earned = trial_score(winner.trial, config.objective)
    file = run.trial(winner.stage, winner.trial.number) / MODEL_FILE
    trial_is_kept = refit is None or (earned.order <= refit.order and file.is_file())
    if trial_is_kept:
        if not file.is_file():
            raise UserError(f"{file} is missing and the refit failed: {failure}")
        model = keras.models.load_model(file, compile=False)
    origin = Origin(
        stage=winner.stage.name,
        trial=winner.trial.number,
        trial_validation=_scored(earned),
        refit_validation=None if refit is None else _scored(refit),
        refit_failure=failure,
        kept="trial" if trial_is_kept else "refit",
    )
    return Single(model, origin, earned if trial_is_kept or refit is None else refit)


def trial_score(trial: FrozenTrial, objective: Objective) -> ValidationScore:
    """Return the validation score of a complete trial under the objective of its run."""
    known = trial.user_attrs
    return ValidationScore(
        auc=known[records.VAL_AUC],
        log_loss=known[records.VAL_LOG_LOSS],
        pseudo_auc=known.get(records.VAL_PSEUDO_AUC),
        pair_ranking=known.get(records.VAL_PAIR_RANKING),
        objective=objective,
        plugin_value=known.get(records.VAL_OWN),
    )


def _scored(score: ValidationScore) -> Scored:
    return Scored(auc=score.auc, log_loss=score.log_loss)
