"""Losses of a GAN fall where they should, and the gradient penalty sees slopes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from spaces.gan.choices import LOSSES
from spaces.gan.losses import PENALTY, discriminator_loss, generator_loss, gradient_penalty


@pytest.mark.parametrize("loss", LOSSES)
def test_a_discriminator_that_tells_them_apart_has_the_lower_loss(loss: str) -> None:
    high, low = tf.fill((4, 1), 2.0), tf.fill((4, 1), -2.0)
    right = float(discriminator_loss(loss, high, low))
    wrong = float(discriminator_loss(loss, low, high))
    assert right < wrong
    assert float(generator_loss(loss, high)) < float(generator_loss(loss, low))


def test_losses_have_their_published_values() -> None:
    real, fake = tf.constant([[0.5], [3.0]]), tf.constant([[-0.5], [1.0]])
    assert float(discriminator_loss("hinge", real, fake)) == pytest.approx((0.5 + 0 + 0.5 + 2) / 2)
    assert float(discriminator_loss("wasserstein", real, fake)) == pytest.approx(0.25 - 1.75)
    wanted = np.mean(np.log1p(np.exp([-0.5, -3.0])) + np.log1p(np.exp([-0.5, 1.0])))
    assert float(discriminator_loss("non_saturating", real, fake)) == pytest.approx(wanted)
    assert float(generator_loss("hinge", fake)) == pytest.approx(-0.25)
    assert float(generator_loss("wasserstein", fake)) == pytest.approx(-0.25)
    wanted = np.mean(np.log1p(np.exp([0.5, -1.0])))
    assert float(generator_loss("non_saturating", fake)) == pytest.approx(wanted)


@pytest.mark.parametrize(("slope", "penalty"), [(1.0, 0.0), (3.0, PENALTY * 4), (0.0, PENALTY)])
def test_the_penalty_is_the_distance_of_the_slope_from_one(slope: float, penalty: float) -> None:
    face = keras.Input((4, 4, 3))
    head = keras.layers.Dense(1, use_bias=False)
    judge = keras.Model(face, head(keras.layers.Flatten()(face)))
    head.set_weights([np.full((48, 1), slope / np.sqrt(48), np.float32)])
    real, fake = tf.random.normal((5, 4, 4, 3)), tf.random.normal((5, 4, 4, 3))
    assert float(gradient_penalty(judge, real, fake)) == pytest.approx(penalty, abs=1e-3)
