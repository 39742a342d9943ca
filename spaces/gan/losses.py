"""Losses of the generator and discriminator of a GAN, on logits that are high for real faces."""

from __future__ import annotations

import keras
import tensorflow as tf

PENALTY = 10.0


def discriminator_loss(loss: str, on_real: tf.Tensor, on_fake: tf.Tensor) -> tf.Tensor:
    """Return the loss of the discriminator, a scalar, without the gradient penalty.

    Args:
        loss: ``non_saturating`` (Goodfellow et al., Generative Adversarial Nets, 2014), ``hinge``
            (Lim and Ye, Geometric GAN, 2017) or ``wasserstein`` (Arjovsky et al., 2017).
        on_real, on_fake: logits (batch, 1).
    """
    if loss == "hinge":
        return tf.reduce_mean(tf.nn.relu(1 - on_real) + tf.nn.relu(1 + on_fake))
    if loss == "wasserstein":
        return tf.reduce_mean(on_fake - on_real)
    return tf.reduce_mean(tf.nn.softplus(-on_real) + tf.nn.softplus(on_fake))


def generator_loss(loss: str, on_fake: tf.Tensor) -> tf.Tensor:
    """Return the loss of the generator, a scalar; hinge and Wasserstein share it."""
    if loss == "non_saturating":
        return tf.reduce_mean(tf.nn.softplus(-on_fake))
    return -tf.reduce_mean(on_fake)


def gradient_penalty(judge: keras.Model, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Return the penalty on the discriminator's slope between real and fake faces, a scalar.

    It is 10 times the mean squared distance from 1 of the norm of its gradient. The gradient is
    taken at a random point between each real and a fake face (Gulrajani et al., Improved Training
    of Wasserstein GANs, 2017).

    Args:
        judge: the discriminator.
        real, fake: faces (batch, side, side, 3).
    """
    place = tf.random.uniform((tf.shape(real)[0], 1, 1, 1))
    between = real + place * (fake - real)
    with tf.GradientTape() as tape:
        tape.watch(between)
        logits = judge(between, training=True)
    slopes = tape.gradient(logits, between)
    # The root has no gradient at 0.
    norms = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=[1, 2, 3]) + 1e-12)
    return PENALTY * tf.reduce_mean(tf.square(norms - 1))
