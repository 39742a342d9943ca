"""The architecture stage: AutoKeras graphs under Optuna trials."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import optuna

from artifacts import records
from artifacts.run_directory import RunDirectory, replacing
from data_prep.errors import UserError
from data_prep.store import Store
from search import detectors, studies
from search.config import RunConfig
from search.fit import EpochReport, Fit, fit
from search.hyperparameters import OptunaHyperParameters
from search.objectives import ValidationScore
from search.trial import MODEL_FILE, TrialOutcome, TrialResult, keep_best, run_trial
from spaces.backbones import BackboneError
from spaces.training import TrainingChoices

STAGE = "architecture"


def enqueue_starting_points(config: RunConfig) -> None:
    """Queue the defaults with each backbone, so that the known good comes first.

    Raises:
        UserError: the space cannot be built: weights that cannot be had, clips too small.
    """
    study = studies.open_study(RunDirectory(config.run_dir).journal, STAGE)
    with Store(config.store) as store:
        try:
            points = detectors.starting_points(detectors.space(config, store), config)
        except (BackboneError, ValueError) as error:
            raise UserError(f"the detector space cannot be built: {error}") from None
    for params in points[: config.architecture.trials]:
        study.enqueue_trial(params, skip_if_exists=True)


def training_choices(config: RunConfig) -> TrainingChoices:
    """The fixed training of this stage."""
    return TrainingChoices(
        learning_rate=config.architecture.learning_rate,
        batch_size=config.architecture.batch_size,
        epochs=config.architecture.epochs,
    )


def run_architecture_trial(config: RunConfig, slot: int) -> TrialOutcome:
    """Run one trial of the stage.

    Args:
        config: of the run.
        slot: number of this trial among those asked for; with the run's seed it seeds everything,
            so that a trial that was interrupted is repeated exactly.
    """
    run = RunDirectory(config.run_dir)
    choices = training_choices(config)

    def objective(trial: optuna.Trial, folder: Path) -> TrialResult:
        hp = OptunaHyperParameters(trial)
        with Store(config.store) as store:
            seed = config.seed + slot
            model = detectors.build(detectors.space(config, store), hp, seed)
            trial.set_user_attr(records.HYPERPARAMETERS, hp.values)
            trained = fit(
                model, store, choices, seed=seed, features=run.features, report=reporter(trial)
            )
        return detector_result(model, trained, folder)

    outcome = run_trial(
        run,
        STAGE,
        studies.sampler(config.sampler, config.seed, STAGE, slot),
        studies.pruner(config.pruner, config.architecture.epochs),
        objective,
    )
    keep_best(run, studies.open_study(run.journal, STAGE), config.kept_models)
    return outcome


def reporter(trial: optuna.Trial) -> EpochReport:
    """Report each epoch's AUC to the study, and stop the trial where its pruner says so."""

    def report(epoch: int, score: ValidationScore) -> None:
        trial.report(score.auc, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned(f"val_auc {score.auc:.3f} after {epoch} epochs")

    return report


def detector_result(model: keras.Model, trained: Fit, folder: Path) -> TrialResult:
    """Save a trained detector in its trial's folder and describe it."""
    with replacing(folder / MODEL_FILE) as temporary:
        model.save(temporary)
    return TrialResult(
        value=trained.best.auc,
        attributes={
            records.VAL_LOG_LOSS: trained.best.log_loss,
            "best_epoch": trained.best_epoch,
            records.PARAMS: int(sum(np.prod(weight.shape) for weight in model.weights)),
            "cached_inputs": trained.cached,
        },
        history=trained.history,
    )
