"""A trial of a detector: choose, build, train, keep. Shared by both detector stages."""

from __future__ import annotations

from collections.abc import Callable

import keras_tuner
import numpy as np
import optuna

from artifacts import records
from artifacts.export import plain_copy
from artifacts.run_directory import RunDirectory, replacing
from data_prep.store import Store
from search import detectors
from search.config import RunConfig
from search.fit import Epoch, fit
from search.gan_mix import walks
from search.hyperparameters import OptunaHyperParameters
from search.objectives import ValidationScore
from search.shorter import shorter
from search.trial import MODEL_FILE, OpenTrial, TrialOutcome, TrialResult, run_trial
from spaces.training import TrainingChoices

Choose = Callable[[OptunaHyperParameters], tuple[keras_tuner.HyperParameters, TrainingChoices]]


def run_detector_trial(
    config: RunConfig, stage: str, max_epochs: int, choose: Choose
) -> TrialOutcome:
    """Run one trial of a detector stage; its value is the objective at its best validation epoch.

    Args:
        config: of the run.
        stage: name of the study.
        max_epochs: the most epochs any trial of the stage has.
        choose: asks the hyperparameters for a way to train, and says which answer for the detector.
    """

    def objective(trial: OpenTrial) -> TrialResult:
        hp = OptunaHyperParameters(trial.optuna)
        with Store(config.store) as store:
            answers, choices = choose(hp)
            graph = detectors.space(config, store)
            model = detectors.build(graph, answers, trial.seed, config.precision)
            weights = int(sum(np.prod(weight.shape) for weight in model.weights))
            trial.optuna.set_user_attr(records.HYPERPARAMETERS, detectors.chosen(config, hp))
            trial.optuna.set_user_attr(records.PARAMS, weights)
            trained = fit(
                model,
                store,
                choices,
                seed=trial.seed,
                features=RunDirectory(config.run_dir).features,
                budget=config.features_bytes,
                objective=config.objective,
                shorter=shorter(config, store, answers, trial.seed),
                walks=walks(config, store.clip_shape[0]) if choices.gan_fakes else None,
                report=_reporter(trial, choices.epochs),
            )
        with replacing(trial.folder / MODEL_FILE) as temporary:
            plain_copy(model).save(temporary)
        return TrialResult(
            value=trained.best.value,
            attributes={
                **trained.best.row,
                "best_epoch": trained.best_epoch,
                "cached_inputs": trained.cached,
            },
            note=trained.note,
        )

    return run_trial(config, stage, max_epochs, objective)


def _reporter(trial: OpenTrial, epochs: int) -> Callable[[Epoch], None]:
    """Record each epoch and report its value; stop the trial where the pruner says so.

    What it scored is kept with the trial as well, so that it is known of pruned trials, too. The
    last epoch is never pruned: all its cost is spent.
    """

    def report(epoch: Epoch) -> None:
        trial.record(epoch.row)
        trial.optuna.report(epoch.score.value, epoch.number)
        for name, value in epoch.score.row.items():
            trial.optuna.set_user_attr(name, value)
        if epoch.number < epochs and trial.optuna.should_prune():
            raise optuna.TrialPruned(f"{_told(epoch.score)} after {epoch.number} epochs")

    return report


def _told(score: ValidationScore) -> str:
    """What a trial was pruned for."""
    name = "val_auc" if score.pseudo_auc is None else "objective"
    return f"{name} {score.value:.3f}"
