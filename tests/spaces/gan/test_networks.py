"""Generator and discriminator fit each other in every combination."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from spaces.gan.choices import KINDS, SIDES, GanChoices
from spaces.gan.networks import discriminator, generator, remove_spectral_norm


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("pixel_norm", [False, True])
def test_generated_faces_are_what_the_discriminator_takes(
    kind: str, side: int, pixel_norm: bool
) -> None:
    choices = GanChoices(kind=kind, latent=16, pixel_norm=pixel_norm, side=side)
    latents = np.random.default_rng(0).normal(size=(3, 16)).astype(np.float32)
    faces = np.asarray(generator(choices)(latents))
    assert faces.shape == (3, side, side, 3)
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


def test_the_dense_pair_is_that_of_the_recipe() -> None:
    make, judge = generator(GanChoices()), discriminator(GanChoices())
    for network, units in ((make, [64, 128, 32 * 32 * 3]), (judge, [128, 64, 1])):
        dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
        assert [layer.units for layer in dense] == units


def test_spectral_norm_holds_every_kernel_at_one() -> None:
    judge = discriminator(GanChoices("convolutional"))
    faces = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    for _ in range(40):
        judge(faces, training=True)
    wrapped = [x for x in judge.layers if isinstance(x, keras.layers.SpectralNormalization)]
    assert len(wrapped) == 3
    for layer in wrapped:
        kernel = np.asarray(layer.layer.kernel)
        norm = np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), 2)
        assert norm == pytest.approx(1, abs=0.02)


def test_a_discriminator_without_spectral_norm_says_the_same() -> None:
    choices = GanChoices("convolutional", loss="hinge", width=2)
    judge = discriminator(choices)
    faces = np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    judge(faces, training=True)
    plain = remove_spectral_norm(judge, choices)
    kinds = {type(layer) for layer in plain.layers}
    assert keras.layers.SpectralNormalization not in kinds
    np.testing.assert_array_equal(np.asarray(plain(faces)), np.asarray(judge(faces)))
    assert not np.array_equal(np.asarray(discriminator(choices)(faces)), np.asarray(judge(faces)))


def test_names_of_layers_are_the_same_in_every_build() -> None:
    for network in (generator, discriminator):
        for choices in (GanChoices(), GanChoices("convolutional", pixel_norm=True)):
            one, other = network(choices), network(choices)
            assert [x.name for x in one.layers] == [x.name for x in other.layers]
