"""The stages of an image network, and how many of them train."""

from __future__ import annotations

import collections
from collections.abc import Collection

import keras

from spaces.keras_internals import operation_of

ALL_STAGES = "all"
MOMENTUM = 0.9


def stages(model: keras.Model) -> list[list[keras.Layer]]:
    """The layers of a network by stage, in the order of its graph.

    A stage is all layers of one output resolution: those with equally many strided convolutions and
    poolings between the input and themselves, themselves counted. So squeeze-and-excitation, whose
    pooling over the whole frame is no stride, belongs to the stage it excites. Layers without
    weights, such as the last pooling of VGG16, make no stage of their own: they are counted to the
    one before them, or the one after where there is none.
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


def train_last_stages(network: keras.Model, count: int | str) -> None:
    """Leave only the last stages of a network trainable.

    In frozen stages batch norms keep their statistics, and dropout is off, so that they give one
    output for one clip. In the others the statistics follow within tens of steps: trials are short.

    Args:
        network: made by :func:`spaces.backbones.inflation.inflate`.
        count: of stages as :func:`stages` counts them, as many as there are at most; ``"all"``.
    """
    network.trainable = True
    parts = stages(network)
    trained = len(parts) if count == ALL_STAGES else min(int(count), len(parts))
    for number, stage in enumerate(parts):
        for layer in stage:
            layer.trainable = number >= len(parts) - trained
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
