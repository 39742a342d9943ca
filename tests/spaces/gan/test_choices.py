"""The GAN space asks for what is used, and nothing else."""

from __future__ import annotations

import dataclasses

import keras_tuner
import optuna
import pytest

from search.studies.hyperparameters import OptunaHyperParameters
from spaces.gan.choices import GanChoices, gan_space

RECIPE = {
    "kind": "dense",
    "latent": 64,
    "width": 1,
    "loss": "non_saturating",
    "generator_rate": 2e-4,
    "discriminator_rate": 2e-4,
    "batch_size": 32,
    "augmented": False,
}


def test_the_defaults_of_the_space_are_the_recipe() -> None:
    hp = keras_tuner.HyperParameters()
    assert gan_space(hp) == GanChoices()
    assert hp.values == RECIPE


def test_every_choice_is_taken_from_the_answers() -> None:
    wanted = GanChoices(
        "convolutional", 128, 4, "wasserstein", 1e-3, 1e-4, 64, True, True, 2, side=64
    )
    hp = keras_tuner.HyperParameters()
    hp.values.update(dataclasses.asdict(wanted))
    assert gan_space(hp, side=64) == wanted


def test_nothing_is_suggested_that_another_choice_switches_off() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(24):
        trial = study.ask()
        choices = gan_space(OptunaHyperParameters(trial))
        study.tell(trial, 0.0)
        assert ("pixel_norm" in trial.params) == (choices.kind == "convolutional")
        assert ("critic_steps" in trial.params) == (choices.loss == "wasserstein")
        assert choices.critic_steps == 1 or choices.loss == "wasserstein"
        assert not choices.pixel_norm or choices.kind == "convolutional"
        seen.add((choices.kind, choices.loss))
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("kind", "loss", "spectral"),
    [
        ("dense", "hinge", False),
        ("convolutional", "non_saturating", True),
        ("convolutional", "hinge", True),
        ("convolutional", "wasserstein", False),
    ],
)
def test_spectral_norm_is_of_convolutions_without_a_gradient_penalty(
    kind: str, loss: str, spectral: bool
) -> None:
    assert GanChoices(kind=kind, loss=loss).spectral is spectral
