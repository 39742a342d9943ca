"""The GAN space: generator and discriminator of small face pictures."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

FACE_SIDE = 32
KINDS = ("dense", "convolutional")
LOSSES = ("non_saturating", "hinge")


@dataclasses.dataclass(frozen=True)
class GanChoices:
    """One GAN and how it is trained; the defaults are the dense pair of the original recipe.

    Attributes:
        kind: of :data:`KINDS`.
        latent: size of the generator's input.
        width: multiplies the layer widths of either pair.
        loss: of :data:`LOSSES`.
        generator_rate, discriminator_rate: learning rates of Adam.
        batch_size: faces.
    """

    kind: str = "dense"
    latent: int = 64
    width: int = 1
    loss: str = "non_saturating"
    generator_rate: float = 2e-4
    discriminator_rate: float = 2e-4
    batch_size: int = 32


def gan_space(hp: Any) -> GanChoices:
    """Ask for one GAN; the defaults of the space are those of the recipe."""
    recipe = GanChoices()
    rates = {"min_value": 5e-5, "max_value": 2e-3, "sampling": "log"}
    return GanChoices(
        kind=hp.Choice("kind", list(KINDS), default=recipe.kind),
        latent=hp.Choice("latent", [16, 32, 64, 128], default=recipe.latent),
        width=hp.Choice("width", [1, 2, 4], default=recipe.width),
        loss=hp.Choice("loss", list(LOSSES), default=recipe.loss),
        generator_rate=hp.Float("generator_rate", default=recipe.generator_rate, **rates),
        discriminator_rate=hp.Float(
            "discriminator_rate", default=recipe.discriminator_rate, **rates
        ),
        batch_size=hp.Choice("batch_size", [16, 32, 64], default=recipe.batch_size),
    )


def generator(choices: GanChoices) -> keras.Model:
    """Latent float (latent,) to a face float (32, 32, 3) in -1..1.

    Dense: 64 and 128 units with leaky ReLU. Convolutional: transposed convolutions from 4 x 4
    (Radford et al., DCGAN, 2015).
    """
    latent = keras.Input((choices.latent,), name="latent")
    if choices.kind == "dense":
        x = latent
        for units in (64, 128):
            x = keras.layers.Dense(units * choices.width)(x)
            x = keras.layers.LeakyReLU(negative_slope=0.2)(x)
        x = keras.layers.Dense(FACE_SIDE * FACE_SIDE * 3, activation="tanh")(x)
        face = keras.layers.Reshape((FACE_SIDE, FACE_SIDE, 3), name="face")(x)
        return keras.Model(latent, face, name="generator")
    filters = 64 * choices.width
    x = keras.layers.Dense(4 * 4 * filters)(latent)
    x = keras.layers.Reshape((4, 4, filters))(x)
    x = keras.layers.LeakyReLU(negative_slope=0.2)(x)
    for shrink in (1, 2):
        x = keras.layers.Conv2DTranspose(filters // shrink, 4, strides=2, padding="same")(x)
        x = keras.layers.LeakyReLU(negative_slope=0.2)(x)
    face = keras.layers.Conv2DTranspose(
        3, 4, strides=2, padding="same", activation="tanh", name="face"
    )(x)
    return keras.Model(latent, face, name="generator")


def discriminator(choices: GanChoices) -> keras.Model:
    """A face float (32, 32, 3) in -1..1 to a logit (1,), high for real.

    Dense: 128 and 64 units with leaky ReLU. Convolutional: the generator mirrored.
    """
    face = keras.Input((FACE_SIDE, FACE_SIDE, 3), name="face")
    x = face
    if choices.kind == "dense":
        x = keras.layers.Flatten()(x)
        for units in (128, 64):
            x = keras.layers.Dense(units * choices.width)(x)
            x = keras.layers.LeakyReLU(negative_slope=0.2)(x)
    else:
        for grow in (1, 2, 2):
            x = keras.layers.Conv2D(32 * choices.width * grow, 4, strides=2, padding="same")(x)
            x = keras.layers.LeakyReLU(negative_slope=0.2)(x)
        x = keras.layers.Flatten()(x)
    logit = keras.layers.Dense(1, name="logit")(x)
    return keras.Model(face, logit, name="discriminator")


def random_features(seed: int = 0) -> keras.Model:
    """A fixed random network, faces (32, 32, 3) to features (128,), to compare sets of faces in.

    Random convolutional features rank generators without pretrained weights (Naeem et al.,
    Reliable Fidelity and Diversity Metrics for Generative Models, 2020).
    """
    face = keras.Input((FACE_SIDE, FACE_SIDE, 3))
    x = face
    for layer, filters in enumerate((32, 64, 128)):
        x = keras.layers.Conv2D(
            filters,
            3,
            strides=2,
            padding="same",
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed=seed + layer),
        )(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(face, x, name="random_features")
    model.trainable = False
    return model
