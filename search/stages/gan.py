"""The GAN stage: generator and discriminator on real faces, tuned by Optuna."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import optuna

from artifacts import records
from artifacts.histories import DISCRIMINATOR_LOSS, GENERATOR_LOSS, KID, REPORT
from artifacts.run_directory import RunDirectory, replace_file
from artifacts.stages import GAN
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.config.run_config import RunConfig
from search.gan.discriminator import detector_auc, real_accuracy
from search.gan.faces import real_faces, to_pixels, to_unit, write_grid
from search.gan.measures import MOST_COMPARED, CollapseCheck, FaceMeasure
from search.gan.training import GanTraining
from search.studies.hyperparameters import (
    OptunaHyperParameters,
    fixed_hyperparameters,
    optuna_params,
)
from search.studies.study import (
    open_study,
)
from search.trials.trial import GAN_FILES, GAN_GRID, OpenTrial, TrialOutcome, TrialResult, run_trial
from spaces.backbones.pretrained import BackboneError
from spaces.gan.choices import GanChoices, gan_space
from spaces.gan.features import face_features
from spaces.gan.networks import remove_spectral_norm

# How often a trial reports, and so may be pruned.
REPORTS = 5
# Generated faces that a report measures.
GENERATED = 512

# The recipe, then convolutional pairs at rates that show faces of 32 px after a thousand steps.
_RATES = {"generator_rate": 5e-4, "discriminator_rate": 5e-4}
_FIRST: tuple[dict[str, bool | int | float | str], ...] = (
    {},
    {"kind": "convolutional", "loss": "non_saturating", **_RATES},
    {"kind": "convolutional", "loss": "hinge", **_RATES},
    {"kind": "convolutional", "loss": "wasserstein", "critic_steps": 3, **_RATES},
)


def enqueue(config: RunConfig) -> None:
    """Queue the dense pair of the original recipe, then convolutional pairs.

    Raises:
        UserError: the network that faces are compared in cannot be had.
    """
    try:
        face_features(config.gan.features, config.gan.side)
    except BackboneError as error:
        raise UserError(f"gan.features = {config.gan.features!r}: {error}") from None
    study = open_study(RunDirectory(config.run_dir), GAN)
    for values in _FIRST[: config.gan.trials]:
        hp = fixed_hyperparameters(dict(values))
        gan_space(hp, config.gan.side)
        study.enqueue_trial(optuna_params(hp), skip_if_exists=True)


def run(config: RunConfig) -> TrialOutcome:
    """Run one trial of the stage; the objective is KID against held-out real faces, lowest best."""

    def objective(trial: OpenTrial) -> TrialResult:
        hp = OptunaHyperParameters(trial.optuna)
        choices = gan_space(hp, config.gan.side)
        trial.optuna.set_user_attr(records.HYPERPARAMETERS, hp.values)
        trial.optuna.set_user_attr(records.KID_FEATURES, config.gan.features)
        with Store(config.store) as store:
            return _train(choices, config, store, trial)

    return run_trial(config, GAN, REPORTS, objective)


def fixed_latents(choices: GanChoices, seed: int) -> npt.NDArray[np.float32]:
    """Return the latents of the measured faces, equal in all reports: float32 (512, latent)."""
    rng = np.random.default_rng([seed, GENERATED])
    return rng.normal(size=(GENERATED, choices.latent)).astype(np.float32)


def _train(choices: GanChoices, config: RunConfig, store: Store, trial: OpenTrial) -> TrialResult:
    """Train a pair, report as it goes, and keep it.

    Raises:
        TooFewFacesError, GanDivergedError, ModeCollapseError: the trial has failed.
    """
    keras.utils.clear_session()
    train = real_faces(store, "train", choices.side)
    held_out = to_unit(real_faces(store, "val", choices.side, MOST_COMPARED))
    training = GanTraining(choices, train, trial.seed)
    params = training.generator.count_params() + training.discriminator.count_params()
    trial.optuna.set_user_attr(records.PARAMS, params)
    network = face_features(config.gan.features, choices.side)
    measure, watch = FaceMeasure(network, to_unit(train), held_out), CollapseCheck()
    latents = fixed_latents(choices, trial.seed)

    for report in range(1, REPORTS + 1):
        losses = training.advance(config.gan.steps * report // REPORTS - training.steps)
        faces = training.generated(latents)
        measured = measure(faces)
        accuracy = real_accuracy(training, train, held_out, faces)
        trial.record(
            {
                REPORT: report,
                "steps": training.steps,
                KID: measured.kid,
                records.KID_ERROR: measured.kid_error,
                "pairwise": measured.pairwise,
                "nearest": measured.nearest,
                DISCRIMINATOR_LOSS: losses["discriminator"],
                GENERATOR_LOSS: losses.get("generator", float("nan")),
                "train_accuracy": accuracy.train,
                "held_out_accuracy": accuracy.held_out,
            }
        )
        watch.check(measured, last=report == REPORTS)
        trial.optuna.report(measured.kid, report)
        if report < REPORTS and trial.optuna.should_prune():
            raise optuna.TrialPruned(f"kid {measured.kid:.4f} after {training.steps} steps")

    judge = remove_spectral_norm(training.discriminator, choices)
    for model, name in zip((training.averaged, judge), GAN_FILES, strict=True):
        with replace_file(trial.folder / name) as temporary:
            model.save(temporary)
    write_grid(trial.folder / GAN_GRID, to_pixels(faces[:64]), train)
    attributes = {
        records.KID_ERROR: measured.kid_error if np.isfinite(measured.kid_error) else None,
        records.DETECTOR_AUC: detector_auc(judge, store, "val"),
        "pairwise": measured.pairwise,
        "nearest": measured.nearest,
        "train_accuracy": accuracy.train,
        "held_out_accuracy": accuracy.held_out,
    }
    return TrialResult(measured.kid, attributes)
