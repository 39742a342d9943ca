"""Training of one GAN: steps of both networks, averaged weights, and checks for divergence."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from data_prep.errors import DfsearchError
from search.gan.faces import Faces, to_unit
from spaces.gan.augmentation import augment_faces, flip_faces
from spaces.gan.choices import GanChoices
from spaces.gan.losses import discriminator_loss, generator_loss, gradient_penalty
from spaces.gan.networks import discriminator, generator

AVERAGING = 0.999
# A larger loss counts as exploded.
EXPLODED = 1e4
_CHECK_EVERY = 25


class GanDivergedError(DfsearchError):
    """A network of a GAN holds NaN or infinite numbers, or its loss has exploded."""


class GanTraining:
    """Generator and discriminator, trained against each other on real faces.

    A second generator holds the exponential moving average of the trained generator's weights,
    which gives better faces (Yazici et al., The Unusual Effectiveness of Averaging in GAN Training,
    2019). Half of the real faces that the discriminator sees are mirrored.

    Args:
        choices: Choices of the pair and its training.
        faces: Real faces, uint8 (n, side, side, 3).
        seed: Seed of weights, latents and order.

    Attributes:
        generator: Trained generator.
        averaged: Averaged generator, the one to use.
        discriminator: Logits, high for real.
        steps: Steps of the discriminator so far.
    """

    def __init__(self, choices: GanChoices, faces: Faces, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        self.choices = choices
        self.generator, self.averaged = generator(choices), generator(choices)
        self.averaged.set_weights(self.generator.get_weights())
        self.discriminator = discriminator(choices)
        self.steps = 0
        self._generator_steps = 0
        self._faces = faces
        self._rng = np.random.default_rng(seed)
        self._train_discriminator, self._train_generator = self._compiled()

    def advance(self, steps: int) -> dict[str, float]:
        """Train for a number of steps of the discriminator; return mean losses by network.

        The generator takes one step for every ``critic_steps`` of the discriminator.

        Raises:
            GanDivergedError: Either network has diverged.
        """
        losses: dict[str, list[float]] = {"discriminator": [], "generator": []}
        for _ in range(steps):
            chosen = self._rng.integers(0, len(self._faces), self.choices.batch_size)
            loss = self._train_discriminator(tf.constant(to_unit(self._faces[chosen])))
            losses["discriminator"].append(float(loss))
            self.steps += 1
            if self.steps % self.choices.critic_steps == 0:
                self._generator_steps += 1
                losses["generator"].append(float(self._train_generator(self._decay())))
            for name, found in losses.items():
                self._check_loss(name, found[-1:])
            if self.steps % _CHECK_EVERY == 0:
                self._check_weights()
        self._check_weights()
        return {name: float(np.mean(found)) for name, found in losses.items() if found}

    def generated(self, latents: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return faces of the averaged generator: float32 (n, side, side, 3) in -1..1."""
        faces: npt.NDArray[np.float32] = self.averaged.predict(latents, batch_size=256, verbose=0)
        return faces

    def logits(self, faces: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return logits of the discriminator for faces in -1..1: float32 (n,), high for real."""
        return np.asarray(self.discriminator.predict(faces, batch_size=256, verbose=0))[:, 0]

    def _decay(self) -> tf.Tensor:
        """Return the decay of the average; a short training averages over fewer steps."""
        steps = self._generator_steps
        return tf.constant(min(AVERAGING, (1 + steps) / (10 + steps)), tf.float32)

    def _check_loss(self, name: str, losses: list[float]) -> None:
        for loss in losses:
            if not math.isfinite(loss) or abs(loss) > EXPLODED:
                raise GanDivergedError(
                    f"the loss of the {name} is {loss:.3g} after {self.steps} steps; lower its "
                    "learning rate"
                )

    def _check_weights(self) -> None:
        for network in (self.discriminator, self.generator):
            if not all(np.isfinite(weight).all() for weight in network.get_weights()):
                raise GanDivergedError(
                    f"weights of the {network.name} are not finite after {self.steps} steps; "
                    "lower its learning rate"
                )

    def _compiled(self) -> tuple[Callable[..., tf.Tensor], Callable[..., tf.Tensor]]:
        """Return one update of the discriminator on real faces, and one of the generator."""
        choices, make, judge = self.choices, self.generator, self.discriminator
        # No momentum under the Wasserstein loss (Gulrajani et al., 2017).
        beta = 0.0 if choices.loss == "wasserstein" else 0.5
        make_optimizer = keras.optimizers.Adam(choices.generator_rate, beta_1=beta)
        judge_optimizer = keras.optimizers.Adam(choices.discriminator_rate, beta_1=beta)
        make_optimizer.build(make.trainable_variables)
        judge_optimizer.build(judge.trainable_variables)

        def augment(faces: tf.Tensor) -> tf.Tensor:
            return augment_faces(faces) if choices.augmented else faces

        def random_faces() -> tf.Tensor:
            return make(tf.random.normal((choices.batch_size, choices.latent)), training=True)

        @tf.function
        def train_discriminator(real: tf.Tensor) -> tf.Tensor:
            real, fake = augment(flip_faces(real)), augment(random_faces())
            with tf.GradientTape() as tape:
                both = judge(tf.concat([real, fake], axis=0), training=True)
                loss = discriminator_loss(choices.loss, *tf.split(both, 2))
                if choices.loss == "wasserstein":
                    loss += gradient_penalty(judge, real, fake)
            gradients = tape.gradient(loss, judge.trainable_variables)
            judge_optimizer.apply(gradients, judge.trainable_variables)
            return loss

        @tf.function
        def train_generator(decay: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                loss = generator_loss(choices.loss, judge(augment(random_faces()), training=False))
            gradients = tape.gradient(loss, make.trainable_variables)
            make_optimizer.apply(gradients, make.trainable_variables)
            for mean, now in zip(self.averaged.variables, make.variables, strict=True):
                mean.assign(now + decay * (mean - now))
            return loss

        return train_discriminator, train_generator
