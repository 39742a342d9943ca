"""The architecture stage: AutoKeras graphs under Optuna trials, with one fixed training."""

from __future__ import annotations

from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.config.run_config import RunConfig
from search.detectors.space import build_space, first_points
from search.detectors.trial import run_detector_trial
from search.studies import warm_start
from search.studies.hyperparameters import OptunaHyperParameters
from search.studies.study import (
    open_study,
)
from search.trials.trial import TrialOutcome
from spaces.backbones.pretrained import BackboneError
from spaces.training.space import TrainingChoices


def enqueue(config: RunConfig) -> None:
    """Queue the known good detectors first: see :func:`search.detectors.space.first_points`.

    Raises:
        UserError: The space cannot be built: weights are missing, or clips are too small.
    """
    study = open_study(RunDirectory(config.run_dir), ARCHITECTURE)
    with Store(config.store) as store:
        try:
            known = warm_start.reused_hyperparameters(config).get(ARCHITECTURE, [])
            points = first_points(build_space(config, store), config, known)
        except (BackboneError, ValueError) as error:
            raise UserError(f"the detector space cannot be built: {error}") from None
    for params in points[: config.architecture.trials]:
        study.enqueue_trial(params, skip_if_exists=True)


def training_choices(config: RunConfig) -> TrainingChoices:
    """Return the fixed training of this stage, with the values that the training stage pins."""
    return TrainingChoices(
        **config.training.first,
        learning_rate=config.architecture.learning_rate,
        schedule=config.architecture.schedule,
        batch_size=config.architecture.batch_size,
        samples=config.architecture.samples,
        epoch_samples=min(config.training.epoch_samples, config.architecture.samples),
        views=config.views,
        jit_compile=config.jit_compile,
    )


def run(config: RunConfig) -> TrialOutcome:
    """Run one trial of the stage."""

    def choose(hp: OptunaHyperParameters) -> tuple[OptunaHyperParameters, TrainingChoices]:
        return hp, training_choices(config)

    return run_detector_trial(config, ARCHITECTURE, training_choices(config).epochs, choose)
