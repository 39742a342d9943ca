"""Pairs train with every loss, are averaged, and say when they diverge."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from search.gan.training import AVERAGING, GanDivergedError, GanTraining
from spaces.gan.choices import KINDS, LOSSES, GanChoices

FACES = np.random.default_rng(0).integers(60, 200, (40, 32, 32, 3)).astype(np.uint8)


def _training(**changes: object) -> GanTraining:
    values = {"latent": 8, "batch_size": 8, "generator_rate": 1e-3, "discriminator_rate": 1e-3}
    return GanTraining(GanChoices(**{**values, **changes}), FACES, seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_loss_moves_both_networks(kind: str, loss: str) -> None:
    training = _training(kind=kind, loss=loss, augmented=kind == "convolutional")
    networks = (training.generator, training.discriminator, training.averaged)
    before = [network.get_weights() for network in networks]
    losses = training.advance(3)
    assert set(losses) == {"discriminator", "generator"}
    assert np.isfinite(list(losses.values())).all()
    for network, old in zip(networks, before, strict=True):
        moved = [not np.array_equal(a, b) for a, b in zip(network.get_weights(), old, strict=True)]
        # A bias added to all logits has no slope under the Wasserstein loss.
        assert np.mean(moved) > 0.8
    faces = training.generated(np.zeros((2, 8), np.float32))
    assert faces.shape == (2, 32, 32, 3)
    assert np.abs(faces).max() <= 1


def test_the_generator_follows_every_so_many_critic_steps() -> None:
    training = _training(loss="wasserstein", critic_steps=3)
    before = training.generator.get_weights()[0]
    training.advance(2)
    np.testing.assert_array_equal(training.generator.get_weights()[0], before)
    training.advance(1)
    assert not np.array_equal(training.generator.get_weights()[0], before)
    assert training.steps == 3


def test_the_average_begins_short_and_becomes_long() -> None:
    training = _training()
    mean = training.averaged.get_weights()[0]
    for step in range(1, 4):
        training.advance(1)
        decay = (1 + step) / (10 + step)
        mean = decay * mean + (1 - decay) * training.generator.get_weights()[0]
        np.testing.assert_allclose(training.averaged.get_weights()[0], mean, rtol=1e-4, atol=1e-6)
    training._generator_steps = 100_000
    assert float(training._decay()) == pytest.approx(AVERAGING)


def test_one_seed_trains_one_pair() -> None:
    one, other = (_training(augmented=True) for _ in range(2))
    assert one.advance(4) == other.advance(4)
    for a, b in zip(one.averaged.get_weights(), other.averaged.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_an_absurd_rate_diverges_and_is_named(kind: str) -> None:
    training = _training(kind=kind, loss="wasserstein", generator_rate=1e3, discriminator_rate=1e3)
    with pytest.raises(GanDivergedError, match=r"loss of the \w+ is .* lower its learning rate"):
        training.advance(20)


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_a_network_with_a_nan_is_named(name: str) -> None:
    training = _training(kind="convolutional", loss="hinge", discriminator_rate=1e-12)
    network: keras.Model = getattr(training, name)
    weights = network.get_weights()
    weights[0][...] = np.nan
    network.set_weights(weights)
    with pytest.raises(GanDivergedError, match="after 1 steps"):
        training.advance(30)
    assert training.steps == 1


def test_weights_that_no_loss_has_seen_yet_are_looked_at() -> None:
    training = _training()
    weights = training.generator.get_weights()
    weights[-1][...] = np.inf
    training.generator.set_weights(weights)
    with pytest.raises(GanDivergedError, match="weights of the generator are not finite"):
        training.advance(0)
