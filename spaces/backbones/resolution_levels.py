"""Resolution levels of an image network, and the number of them that train."""

from __future__ import annotations

import collections
from collections.abc import Collection

import keras

from spaces.keras_internals import operation_of

ALL_LEVELS = "all"
MOMENTUM = 0.9


def resolution_levels(model: keras.Model) -> list[list[keras.Layer]]:
    """Return the layers of a network by resolution level, in the order of its graph.

    A level holds the layers of one output resolution. They have the same number of strided
    convolutions and poolings between the input and their own output. Squeeze-and-excitation pools
    the whole frame without a stride and belongs to the level it excites. Layers without weights,
    such as the last pooling of VGG16, make no level: they join the one before, else the one after.
    """
    strides: dict[int, int] = {}
    by_strides: dict[int, list[keras.Layer]] = collections.defaultdict(list)
    for operation in model.operations:
        before = [
            strides[id(operation_of(tensor))]
            for tensor in keras.tree.flatten(operation.input)
            if not isinstance(operation, keras.layers.InputLayer)
        ]
        strides[id(operation)] = max(before, default=0) + _is_strided(operation)
        if before and isinstance(operation, keras.Layer):
            by_strides[strides[id(operation)]].append(operation)
    found: list[list[keras.Layer]] = []
    for count in sorted(by_strides):
        layers = by_strides[count]
        if found and not (_have_weights(layers) and _have_weights(found[-1])):
            found[-1] += layers
        else:
            found.append(layers)
    return found


def train_last_levels(network: keras.Model, count: int | str) -> None:
    """Make only the last resolution levels of a network trainable.

    Frozen levels keep the statistics of their batch norms and have no dropout, so that a clip has
    one output. In trainable levels the statistics adapt within tens of steps: trials are short.

    Args:
        network: Network made by :func:`spaces.backbones.inflation.inflate`.
        count: Number of last levels of :func:`resolution_levels`, or ``"all"``.
    """
    network.trainable = True
    levels = resolution_levels(network)
    trained = len(levels) if count == ALL_LEVELS else min(int(count), len(levels))
    for number, level in enumerate(levels):
        for layer in level:
            layer.trainable = number >= len(levels) - trained
            if isinstance(layer, keras.layers.Dropout) and not layer.trainable:
                layer.rate = 0.0
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
                layer.momentum = MOMENTUM


def _is_strided(layer: keras.Operation) -> bool:
    if isinstance(layer, keras.Sequential):
        return any(map(_is_strided, layer.layers))
    strides = getattr(getattr(layer, "layer", layer), "strides", 1)
    return max(strides if isinstance(strides, tuple) else (strides,)) > 1


def _have_weights(layers: Collection[keras.Layer]) -> bool:
    return any(layer.weights for layer in layers)
