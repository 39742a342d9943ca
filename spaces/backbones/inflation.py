"""Two-dimensional image networks rebuilt to run on whole clips."""

from __future__ import annotations

import collections
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from spaces.backbones.names import TEMPORAL_EXTENT
from spaces.backbones.resolution_levels import resolution_levels


def inflate(
    model: keras.Model, *, name: str, frames: int | None = None, inflated_stages: int = 0
) -> keras.Model:
    """Rebuild a 2-D functional model with stock layers that keep time, weights included.

    Convolutions and poolings become 3-D ones of temporal extent 1. Their outputs and their speed
    equal those of the 2-D model. ``TimeDistributed`` would unroll one copy a frame, and ``Reshape``
    cannot fold time into the batch. Only depthwise and separable convolutions have no 3-D layer and
    are distributed over time. A clip of a single frame is a picture to them.

    The last resolution levels may also use neighbouring frames. Their convolutions get temporal
    extent 3: the kernel is repeated over time and divided by 3. The output of a still clip then
    stays the same (Carreira and Zisserman, Quo Vadis, 2017).

    Layers keep their names. Automatic numbers of Keras are replaced by numbers within the network.

    Args:
        model: float (H, W, C) to (h, w, F).
        name: name of the new model.
        frames: T, or ``None`` for any; depthwise convolutions are faster with T known, and much
            faster in training if it is 1.
        inflated_stages: number of last resolution levels that use neighbouring frames.

    Returns:
        A model (T, H, W, C) to (T, h, w, F).

    Raises:
        ValueError: a layer has no time-preserving counterpart, or there is nothing to inflate.
    """
    temporal = inflatable(model, inflated_stages)
    if inflated_stages and not temporal:
        raise ValueError(
            f"{name} has no convolution to inflate in its last {inflated_stages} stages; "
            "set inflated_stages to 0"
        )
    numbers: collections.Counter[str] = collections.Counter()

    def rebuild(layer: keras.Operation, x: Any, *others: Any, **_: Any) -> Any:
        if isinstance(layer, keras.Sequential):
            for inner in layer.layers:
                x = rebuild(inner, x)
            return x
        called = _stable_name(layer, numbers)
        if not isinstance(layer, keras.Layer):
            return _arithmetic(layer, x, others, called)
        if type(layer).__name__ == "CustomScaleLayer":
            x = [x[0], keras.layers.Rescaling(layer.scale, name=f"{called}_scale")(x[1])]
            return keras.layers.Add(name=called)(x)
        new = _counterpart(layer, called, layer.name in temporal)
        y = _of_picture(new, x) if frames == 1 and _is_over_time(new) else new(x)
        if new.weights:
            new.set_weights([_fit(old, to.shape) for old, to in _pairs(layer, new)])
        return y

    clip = keras.Input((frames, *model.input_shape[1:]), name=f"{name}_clip")
    clone = keras.models.clone_model(
        model, input_tensors=clip, clone_function=lambda layer: layer, call_function=rebuild
    )
    return keras.Model(clone.inputs[0], clone.outputs[0], name=name)


def inflatable(model: keras.Model, count: int) -> set[str]:
    """Return the names of the convolutions in the last resolution levels that can use time.

    They are larger than 1 x 1, neither grouped nor depthwise, and padded to keep their size.
    """
    return {
        layer.name
        for stage in resolution_levels(model)[-count:]
        for layer in stage
        if count
        and type(layer) is keras.layers.Conv2D
        and max(layer.kernel_size) > 1
        and layer.padding == "same"
        and layer.groups == 1
    }


def _stable_name(layer: keras.Operation, numbers: collections.Counter[str]) -> str:
    """Return a layer's own name, or its number in this network if Keras numbered it."""
    kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(layer).__name__)
    kind = kind.lower()
    if not re.fullmatch(rf"{kind}(_\d+)?", layer.name):
        return str(layer.name)
    numbers[kind] += 1
    return f"{kind}_{numbers[kind]}"


def _pairs(old: keras.Layer, new: keras.Layer) -> zip[tuple[Any, Any]]:
    return zip(old.get_weights(), new.weights, strict=True)


def _fit(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a 2-D weight in the shape of its counterpart, spread over a temporal extent."""
    if value.ndim == 4 and len(shape) == 5:
        return np.repeat(value[None], shape[0], axis=0) / np.float32(shape[0])
    return value.reshape(shape)


def _counterpart(layer: keras.Layer, name: str, temporal: bool) -> keras.Layer:
    """Return a layer, without weights, that treats each frame like a 2-D layer an image."""
    kind = type(layer).__name__
    config = layer.get_config() | {"name": name}
    if kind in _SAME:
        return type(layer).from_config(config)
    if kind == "Conv2D" and layer.groups > 1 and layer.groups == layer.input.shape[-1]:
        return _over_time(_depthwise(layer, config))
    if kind in ("DepthwiseConv2D", "SeparableConv2D"):
        return _over_time(type(layer).from_config(config))
    if kind not in _CONVERTED:
        raise ValueError(f"layer {layer.name} of type {kind} has no time-preserving counterpart")
    return _CONVERTED[kind](layer, config, TEMPORAL_EXTENT if temporal else 1)


def _arithmetic(operation: keras.Operation, x: Any, others: tuple[Any, ...], name: str) -> Any:
    """Return ``x + y`` or ``x * y`` as a layer.

    y is a tensor (in ConvNeXt) or a number (in MobileNetV3).
    """
    kind = type(operation).__name__
    if kind not in ("Add", "Multiply") or len(others) != 1:
        raise ValueError(
            f"operation {operation.name} of type {kind} has no time-preserving counterpart"
        )
    (other,) = others
    if not isinstance(other, float):
        layer = keras.layers.Add if kind == "Add" else keras.layers.Multiply
        return layer(name=name)([x, other])
    scale, offset = (1.0, other) if kind == "Add" else (other, 0.0)
    return keras.layers.Rescaling(scale, offset=offset, name=name)(x)


def _over_time(layer: keras.Layer) -> keras.Layer:
    name = layer.name
    config = layer.get_config() | {"name": f"{name}_frame"}
    return keras.layers.TimeDistributed(type(layer).from_config(config), name=name)


def _is_over_time(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.TimeDistributed)


def _of_picture(layer: keras.layers.TimeDistributed, x: keras.KerasTensor) -> keras.KerasTensor:
    """Apply a distributed layer to clips of one frame, without slicing time.

    The gradient of these slices is slow.
    """
    x = keras.layers.Reshape(x.shape[2:], name=f"{layer.name}_picture")(x)
    x = layer.layer(x)
    return keras.layers.Reshape((1, *x.shape[1:]), name=layer.name)(x)


def _depthwise(layer: keras.Layer, config: dict[str, Any]) -> keras.Layer:
    """Return a grouped convolution, one group a channel, as a depthwise layer."""
    renamed = {key: value for key, value in config.items() if not key.startswith("kernel_")}
    for key in ("initializer", "regularizer", "constraint"):
        renamed[f"depthwise_{key}"] = config[f"kernel_{key}"]
    multiplier = renamed.pop("filters") // renamed.pop("groups")
    sizes = {"kernel_size": layer.kernel_size, "depth_multiplier": multiplier}
    return keras.layers.DepthwiseConv2D.from_config(renamed | sizes)


def _conv(layer: keras.Layer, config: dict[str, Any], extent: int) -> keras.Layer:
    config["kernel_size"] = (extent, *config["kernel_size"])
    for key in ("strides", "dilation_rate"):
        config[key] = (1, *config[key])
    return keras.layers.Conv3D.from_config(config)


def _pool(layer: keras.Layer, config: dict[str, Any], extent: int) -> keras.Layer:
    for key in ("pool_size", "strides"):
        config[key] = (1, *config[key])
    if isinstance(layer, keras.layers.MaxPooling2D):
        return keras.layers.MaxPooling3D.from_config(config)
    return keras.layers.AveragePooling3D.from_config(config)


def _global_pool(layer: keras.Layer, config: dict[str, Any], extent: int) -> keras.Layer:
    """Return the layer of the mean of each frame, (T, 1, 1, F).

    A Reshape follows if the 2-D layer gave (F).

    It has no stride, since no resolution level begins here.
    """
    size = (1, *layer.input.shape[1:3])
    pool = keras.layers.AveragePooling3D
    return pool(size, strides=1, name=config["name"], dtype=config["dtype"])


def _pad(layer: keras.Layer, config: dict[str, Any], extent: int) -> keras.Layer:
    config["padding"] = ((0, 0), *config["padding"])
    return keras.layers.ZeroPadding3D.from_config(config)


def _crop(layer: keras.Layer, config: dict[str, Any], extent: int) -> keras.Layer:
    config["cropping"] = ((0, 0), *config["cropping"])
    return keras.layers.Cropping3D.from_config(config)


def _along_axis(layer: keras.Layer, config: dict[str, Any], extent: int) -> keras.Layer:
    """Return a layer on an axis, which keras.applications count from the front, before time."""
    axes = config["axis"]
    later = [axis + 1 if axis > 0 else axis for axis in keras.tree.flatten(axes)]
    config["axis"] = later if isinstance(axes, list | tuple) else later[0]
    return type(layer).from_config(config)


def _reshape(layer: keras.Layer, config: dict[str, Any], extent: int) -> keras.Layer:
    config["target_shape"] = (-1, *layer.output.shape[1:])
    return keras.layers.Reshape.from_config(config)


def _dropout(layer: keras.Layer, config: dict[str, Any], extent: int) -> keras.Layer:
    if config["noise_shape"] is not None:
        batch, *rest = config["noise_shape"]
        config["noise_shape"] = (batch, None, *rest)
    return keras.layers.Dropout.from_config(config)


def _rescaling(layer: keras.Layer, config: dict[str, Any], extent: int) -> keras.Layer:
    """Return a rescaling of pixels in float32: mixed precision would round them."""
    return keras.layers.Rescaling.from_config(config | {"dtype": "float32"})


def _normalization(layer: keras.Layer, config: dict[str, Any], extent: int) -> keras.Layer:
    """Return mean and variance as constants: a nested layer would lose weights in an ``.h5``."""
    layer.finalize_state()
    mean, variance = (np.ravel(np.asarray(of, np.float64)) for of in (layer.mean, layer.variance))
    scale = 1 / np.maximum(np.sqrt(variance), keras.config.epsilon())
    return keras.layers.Rescaling(
        scale.tolist(), offset=(-mean * scale).tolist(), name=config["name"], dtype="float32"
    )


def _layer_scale(layer: keras.Layer, config: dict[str, Any], extent: int) -> keras.Layer:
    """Return one factor a channel, as in ConvNeXt."""
    return keras.layers.EinsumDense(
        "bthwc,c->bthwc",
        output_shape=(None, None, None, layer.projection_dim),
        kernel_initializer=keras.initializers.Constant(layer.init_values),
        name=config["name"],
        dtype=config["dtype"],
    )


_SAME = ("Activation", "ReLU", "Add", "Multiply", "Dense")
_CONVERTED: dict[str, Callable[[keras.Layer, dict[str, Any], int], keras.Layer]] = {
    "Conv2D": _conv,
    "MaxPooling2D": _pool,
    "AveragePooling2D": _pool,
    "GlobalAveragePooling2D": _global_pool,
    "ZeroPadding2D": _pad,
    "Cropping2D": _crop,
    "BatchNormalization": _along_axis,
    "LayerNormalization": _along_axis,
    "Concatenate": _along_axis,
    "Reshape": _reshape,
    "Dropout": _dropout,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
    "LayerScale": _layer_scale,
}
