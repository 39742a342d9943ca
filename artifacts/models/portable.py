"""The same function in layers that other runtimes know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

_POOLING = {
    keras.layers.AveragePooling3D: keras.layers.AveragePooling2D,
    keras.layers.MaxPooling3D: keras.layers.MaxPooling2D,
}
_RECURRENT = (keras.layers.GRU, keras.layers.LSTM, keras.layers.SimpleRNN)


def unrolled_copy(model: keras.Model) -> keras.Model:
    """Return an equal model without loops: recurrent layers are laid out step by step.

    Keras's loops use lists of tensors, which only TensorFlow has.
    """
    return _copy(model, _unrolled)


def portable_copy(model: keras.Model) -> keras.Model:
    """Return an equal model whose operations are all built into LiteRT.

    LiteRT's runtime has no loops (:func:`unrolled_copy`) and no pooling in three dimensions, which
    is replaced by pooling over the picture and then over time. Its convolution in three dimensions
    is slow and stays in float32. A convolution of single frames becomes one in two dimensions.
    """
    return _copy(model, _portable)


def _copy(
    model: keras.Model, change: Callable[[keras.layers.Layer], keras.layers.Layer]
) -> keras.Model:
    def changed(layer: keras.layers.Layer) -> keras.layers.Layer:
        return _copy(layer, change) if isinstance(layer, keras.Model) else change(layer)

    copy = keras.models.clone_model(model, clone_function=changed)
    for ours, theirs in zip(copy.weights, model.get_weights(), strict=True):
        ours.assign(theirs.reshape(ours.shape))
    return copy


def _portable(layer: keras.layers.Layer) -> keras.layers.Layer:
    for three, two in _POOLING.items():
        if isinstance(layer, three):
            return _pooled(layer, two)
    if type(layer) is keras.layers.Conv3D and _is_of_a_frame(layer):
        return _convolved(layer)
    return _unrolled(layer)


def _unrolled(layer: keras.layers.Layer) -> keras.layers.Layer:
    config = layer.get_config()
    if isinstance(layer, _RECURRENT):
        config["unroll"] = True
    if isinstance(layer, keras.layers.Bidirectional):
        for part in ("layer", "backward_layer"):
            if config.get(part):
                config[part]["config"]["unroll"] = True
    return type(layer).from_config(config)


def _is_of_a_frame(layer: keras.layers.Conv3D) -> bool:
    """Return whether a convolution uses one frame at a time."""
    times = layer.kernel_size[0], layer.strides[0], layer.dilation_rate[0], layer.groups
    return times == (1, 1, 1, 1)


def _convolved(layer: keras.layers.Conv3D) -> keras.Model:
    """Return a convolution of single frames; of single pixels, of all frames at once."""
    _, t, h, w, c = layer.input.shape
    config = layer.get_config() | {"name": f"{layer.name}_2d"}
    for name in ("kernel_size", "strides", "dilation_rate"):
        config[name] = config[name][1:]
    two = keras.layers.Conv2D.from_config(config)
    frames = keras.Input((t, h, w, c))
    if {*layer.kernel_size, *layer.strides} == {1}:
        x = two(keras.layers.Reshape((t * h, w, c))(frames))
        x = keras.layers.Reshape((t, h, w, layer.filters))(x)
    else:
        x = keras.layers.TimeDistributed(two)(frames)
    return keras.Model(frames, x, name=layer.name)


def _pooled(layer: Any, two: type[keras.layers.Layer]) -> keras.Model:
    """Replace pooling of (T, H, W, C) by pooling of (H, W, T C), then of (T, H W, C).

    A mean inside the borders is the mean over time of means over the picture. The same holds for a
    maximum.
    """
    _, t, h, w, c = layer.input.shape
    (pt, *pool), (st, *strides), padding = layer.pool_size, layer.strides, layer.padding
    frames = x = keras.Input((t, h, w, c))
    if (pool, strides) != ([1, 1], [1, 1]):
        x = keras.layers.Reshape((h, w, t * c))(keras.layers.Permute((2, 3, 1, 4))(x))
        x = two(pool, strides, padding)(x)
        h, w = x.shape[1:3]
        x = keras.layers.Permute((3, 1, 2, 4))(keras.layers.Reshape((h, w, t, c))(x))
    if (pt, st) != (1, 1):
        x = keras.layers.Reshape((t, h * w, c))(x)
        x = two((pt, 1), (st, 1), padding)(x)
        x = keras.layers.Reshape((x.shape[1], h, w, c))(x)
    return keras.Model(frames, x, name=layer.name)
