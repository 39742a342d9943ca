"""Generator and discriminator of small face pictures, in stock layers."""

from __future__ import annotations

import keras
import numpy as np

from spaces.gan.choices import GanChoices

_SLOPE = 0.2
_FIRST_SIDE = 4


def generator(choices: GanChoices) -> keras.Model:
    """Build a generator from a latent float (latent,) to a face float (side, side, 3) in -1..1.

    Dense: 64 and 128 units with leaky ReLU. Convolutional: from 4 x 4, doubled until the side is
    reached. Nearest neighbours are repeated and convolved, which leaves no checkerboard (Odena et
    al., Deconvolution and Checkerboard Artifacts, 2016). Batch norm would let the faces of a batch
    depend on each other. Optional pixel norm gives the features of each pixel equal length instead
    (Karras et al., Progressive Growing of GANs, 2018).
    """
    latent = keras.Input((choices.latent,), name="latent")
    if choices.kind == "dense":
        face = _dense_generator(choices, latent)
    else:
        face = _convolutional_generator(choices, latent)
    return keras.Model(latent, face, name="generator")


def discriminator(choices: GanChoices, *, spectral: bool | None = None) -> keras.Model:
    """Build a discriminator from a face float (side, side, 3) in -1..1 to a logit (1,).

    The logit is high for real.

    Dense: 128 and 64 units with leaky ReLU. Convolutional: halved until 4 x 4 is reached.

    Args:
        choices: choices of the pair.
        spectral: hold every kernel except the last at a spectral norm of 1 in training (Miyato et
            al., Spectral Normalization for Generative Adversarial Networks, 2018). The last is
            free, so that logits reach the margin of a hinge in a short training. ``None`` is
            :attr:`GanChoices.spectral`.
    """
    spectral = choices.spectral if spectral is None else spectral
    face = keras.Input((choices.side, choices.side, 3), name="face")
    x = face
    if choices.kind == "dense":
        x = keras.layers.Flatten(name="flat")(x)
        for number, units in enumerate((128, 64), start=1):
            x = _normed(keras.layers.Dense(units * choices.width, name=f"dense{number}"), spectral)(
                x
            )
            x = _leaky(x, f"dense{number}")
    else:
        filters = 32 * choices.width
        for number in range(1, _doublings(choices.side) + 1):
            conv = _conv(filters * min(2 ** (number - 1), 4), 4, 2, f"conv{number}")
            x = _normed(conv, spectral)(x)
            x = _leaky(x, f"conv{number}")
        x = keras.layers.Flatten(name="flat")(x)
    logit = keras.layers.Dense(1, name="logit")(x)
    return keras.Model(face, logit, name="discriminator")


def remove_spectral_norm(judge: keras.Model, choices: GanChoices) -> keras.Model:
    """Return an equal discriminator without the parts that only training needs."""
    plain = discriminator(choices, spectral=False)
    for layer in judge.layers:
        inner = getattr(layer, "layer", layer)
        if inner.weights:
            plain.get_layer(inner.name).set_weights(inner.get_weights())
    return plain


def _dense_generator(choices: GanChoices, x: keras.KerasTensor) -> keras.KerasTensor:
    for number, units in enumerate((64, 128), start=1):
        x = keras.layers.Dense(units * choices.width, name=f"dense{number}")(x)
        x = _leaky(x, f"dense{number}")
    side = choices.side
    x = keras.layers.Dense(side * side * 3, activation="tanh", name="pixels")(x)
    return keras.layers.Reshape((side, side, 3), name="face")(x)


def _convolutional_generator(choices: GanChoices, x: keras.KerasTensor) -> keras.KerasTensor:
    filters = 128 * choices.width
    x = keras.layers.Dense(_FIRST_SIDE * _FIRST_SIDE * filters, name="ground")(x)
    x = keras.layers.Reshape((_FIRST_SIDE, _FIRST_SIDE, filters), name="ground_map")(x)
    x = _shaped(x, choices.pixel_norm, "ground")
    for number in range(1, _doublings(choices.side) + 1):
        x = keras.layers.UpSampling2D(2, name=f"up{number}")(x)
        x = _conv(max(filters // 2**number, 16), 3, 1, f"conv{number}")(x)
        x = _shaped(x, choices.pixel_norm, f"conv{number}")
    return keras.layers.Conv2D(3, 3, padding="same", activation="tanh", name="face")(x)


def _doublings(side: int) -> int:
    return int(np.log2(side // _FIRST_SIDE))


def _conv(filters: int, size: int, stride: int, name: str) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(filters, size, strides=stride, padding="same", name=name)


def _normed(layer: keras.Layer, spectral: bool) -> keras.Layer:
    if not spectral:
        return layer
    return keras.layers.SpectralNormalization(layer, name=f"{layer.name}_spectral")


def _leaky(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.LeakyReLU(negative_slope=_SLOPE, name=f"{name}_leaky")(x)


def _shaped(x: keras.KerasTensor, pixel_norm: bool, name: str) -> keras.KerasTensor:
    x = _leaky(x, name)
    return keras.layers.RMSNormalization(name=f"{name}_norm")(x) if pixel_norm else x
