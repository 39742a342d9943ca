"""The training stage: the best architectures under other training hyperparameters."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras_tuner
import numpy as np
import optuna

from artifacts import records
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, TRAINING
from search.config.run_config import RunConfig
from search.detectors.trial import run_detector_trial
from search.gan.trained_gans import kept_generator
from search.stages import architecture
from search.studies import warm_start
from search.studies.hyperparameters import (
    OptunaHyperParameters,
    Value,
    fixed_hyperparameters,
    optuna_params,
)
from search.studies.known_answers import KnownAnswers
from search.studies.study import (
    best_trials,
    open_study,
)
from search.trials.trial import TrialOutcome
from spaces.training.names import BATCH_SIZES, LEARNING_RATES
from spaces.training.space import TrainingChoices, training_space

CHOSEN_ARCHITECTURE = "architecture"
"""Hyperparameter of this stage: the number of the trial whose architecture it trains."""


def best_architectures(config: RunConfig) -> dict[str, dict[str, Value]]:
    """Return the hyperparameters of the best architectures by trial number, best first.

    Once the stage has begun, they stay the same: a study cannot change the choices of a
    hyperparameter, and its trials are compared with each other.
    """
    run = RunDirectory(config.run_dir)
    study = open_study(run, ARCHITECTURE)
    numbers = _begun_with(open_study(run, TRAINING)) or [
        str(trial.number) for trial in best_trials(study, config.training.architectures)
    ]
    trials = study.get_trials(deepcopy=False)
    return {number: trials[int(number)].user_attrs[records.HYPERPARAMETERS] for number in numbers}


def _begun_with(study: optuna.Study) -> tuple[str, ...]:
    """Return the numbers of the architectures that the trials of this stage choose from."""
    for trial in study.get_trials(deepcopy=False):
        if CHOSEN_ARCHITECTURE in trial.distributions:
            chosen = trial.distributions[CHOSEN_ARCHITECTURE]
            assert isinstance(chosen, optuna.distributions.CategoricalDistribution)
            return tuple(map(str, chosen.choices))
    return ()


def enqueue(config: RunConfig) -> None:
    """Queue the baseline on the best architecture first: its own training with more samples.

    Trials of a warm start come next, then the original recipe.
    """
    study = open_study(RunDirectory(config.run_dir), TRAINING)
    best = list(best_architectures(config))
    longer = dataclasses.asdict(architecture.training_choices(config))
    longer["samples"] = config.training.max_samples
    longer["learning_rate"] = float(np.clip(longer["learning_rate"], *LEARNING_RATES))
    longer["batch_size"] = min(
        BATCH_SIZES, key=lambda size: abs(size - config.architecture.batch_size)
    )
    known = warm_start.reused_hyperparameters(config).get(TRAINING, [])
    for values in known:
        # A number of the other run.
        values.pop(CHOSEN_ARCHITECTURE, None)
    answers = [fixed_hyperparameters(longer), *map(KnownAnswers, known), fixed_hyperparameters({})]
    for hp in answers[: config.training.trials]:
        hp.Choice(CHOSEN_ARCHITECTURE, best)
        training_space(hp, config.training.max_samples, _pinned(config))
        study.enqueue_trial(optuna_params(hp), skip_if_exists=True)


def training_choices(config: RunConfig, hp: keras_tuner.HyperParameters) -> TrainingChoices:
    """Return one way to train, from the space and the configuration."""
    choices = training_space(hp, config.training.max_samples, _pinned(config))
    return dataclasses.replace(
        choices,
        epoch_samples=min(config.training.epoch_samples, choices.samples),
        views=config.views,
        jit_compile=config.jit_compile,
    )


def _pinned(config: RunConfig) -> dict[str, Any]:
    """Return the choices that are not searched; without a generator there are no GAN fakes."""
    without = {"gan_fakes": False} if kept_generator(config) is None else {}
    return config.training.pinned | without


def run(config: RunConfig) -> TrialOutcome:
    """Run one trial of the stage."""
    architectures = best_architectures(config)

    def choose(
        hp: OptunaHyperParameters,
    ) -> tuple[keras_tuner.HyperParameters, TrainingChoices]:
        chosen = hp.Choice(CHOSEN_ARCHITECTURE, list(architectures))
        return fixed_hyperparameters(architectures[chosen]), training_choices(config, hp)

    most = math.ceil(config.training.max_samples / config.training.epoch_samples)
    return run_detector_trial(config, TRAINING, most, choose)
