"""Generator, discriminator and the random network fit each other in every combination."""

from __future__ import annotations

import dataclasses

import keras_tuner
import numpy as np
import pytest

from spaces.gan import (
    KINDS,
    GanChoices,
    discriminator,
    gan_space,
    generator,
    random_features,
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1, 2])
def test_generated_faces_are_what_the_discriminator_takes(kind: str, width: int) -> None:
    choices = GanChoices(kind=kind, latent=16, width=width)
    latents = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)
    faces = np.asarray(generator(choices)(latents))
    assert faces.shape == (3, 32, 32, 3)
    assert np.abs(faces).max() <= 1
    assert np.ptp(faces, axis=0).max() > 0
    logits = np.asarray(discriminator(choices)(faces))
    assert logits.shape == (3, 1)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("kind", KINDS)
def test_width_makes_both_networks_larger(kind: str) -> None:
    for network in (generator, discriminator):
        sizes = [network(GanChoices(kind=kind, width=w)).count_params() for w in (1, 2)]
        assert sizes[1] > 1.5 * sizes[0]


def test_the_defaults_of_the_space_are_the_recipe() -> None:
    assert gan_space(keras_tuner.HyperParameters()) == GanChoices()


def test_every_choice_is_taken_from_the_answers() -> None:
    wanted = GanChoices("convolutional", 128, 4, "hinge", 1e-3, 1e-4, 64)
    hp = keras_tuner.HyperParameters()
    hp.values.update(dataclasses.asdict(wanted))
    assert gan_space(hp) == wanted


def test_random_features_are_the_same_for_a_seed_and_do_not_learn() -> None:
    faces = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    network = random_features()
    found = np.asarray(network(faces))
    assert network.trainable_weights == []
    assert found.shape == (2, 128)
    np.testing.assert_array_equal(found, np.asarray(random_features()(faces)))
    assert np.abs(found - np.asarray(random_features(seed=9)(faces))).max() > 0
