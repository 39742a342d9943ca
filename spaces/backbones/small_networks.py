"""Small networks that are trained from scratch, frame by frame: (T, H, W, C) to (T, F).

Every choice is a hyperparameter unless an argument fixes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def small_cnn(
    hp: Any,
    x: keras.KerasTensor,
    *,
    name: str,
    filters: int | None = None,
    stages: int | None = None,
) -> keras.KerasTensor:
    """Apply strided 3x3 convolutions.

    Args:
        hp: Hyperparameters; every argument that is ``None`` is searched.
        x: float (batch, T, H, W, C).
        name: Prefix of the layers.
        filters: Filters of the first level, doubled twice; ``None`` searches 8, 16, 24.
        stages: Number of halvings of the resolution; ``None`` searches 3 to 5.

    Returns:
        float (batch, T, F).
    """
    if filters is None:
        filters = hp.Choice("filters", [8, 16, 24], default=16)
    if stages is None:
        stages = hp.Int("stages", 3, 5, default=4)
    for stage in range(stages):
        x = strided_conv(x, filters * min(2**stage, 4), name=f"{name}_stage{stage + 1}")
    return pool_frames(x, name=name)


def small_resnet(
    hp: Any,
    x: keras.KerasTensor,
    *,
    name: str,
    resnet_filters: int | None = None,
    resnet_blocks: int | None = None,
) -> keras.KerasTensor:
    """Apply residual blocks of two 3x3 convolutions at three levels of doubling width.

    The plan is that of the networks for small pictures in He et al., Deep Residual Learning for
    Image Recognition, 2016, with 16, 32 and 64 filters. Crops are larger than the pictures of the
    paper, so a strided stem and first level are added.

    Args:
        hp: Hyperparameters; every argument that is ``None`` is searched.
        x: float (batch, T, H, W, C).
        name: Prefix of the layers.
        resnet_filters: Filters of the first level; ``None`` searches 8, 16, 24.
        resnet_blocks: Blocks a level; ``None`` searches 1 to 3, the smallest of the paper.

    Returns:
        float (batch, T, F).
    """
    if resnet_filters is None:
        resnet_filters = hp.Choice("resnet_filters", [8, 16, 24], default=16)
    if resnet_blocks is None:
        resnet_blocks = hp.Int("resnet_blocks", 1, 3, default=1)
    x = strided_conv(x, resnet_filters, name=f"{name}_stem")
    for stage in range(3):
        for block in range(resnet_blocks):
            called = f"{name}_stage{stage + 1}_block{block + 1}"
            x = _residual(x, resnet_filters * 2**stage, 1 if block else 2, name=called)
    return pool_frames(x, name=name)


def meso(
    hp: Any,
    x: keras.KerasTensor,
    *,
    name: str,
    meso_filters: int | None = None,
    meso_units: int | None = None,
    meso_dropout: float | None = None,
) -> keras.KerasTensor:
    """Apply Meso4 (Afchar et al., MesoNet: a Compact Facial Video Forgery Detection Network, 2018).

    Four convolutions with batch norm and pooling, of 8, 8, 16 and 16 filters, then 16 units on the
    flattened map. The detector supplies its second dropout and its output.

    Args:
        hp: Hyperparameters; every argument that is ``None`` is searched.
        x: float (batch, T, H, W, C) in 0..1.
        name: Prefix of the layers.
        meso_filters: Filters of the first two convolutions, 8 in the paper; ``None``
            searches 8 and 16.
        meso_units: Units, 16 in the paper; ``None`` searches 16, 32, 64.
        meso_dropout: Dropout before the units, 0.5 in the paper; ``None`` searches 0 to 0.5.

    Returns:
        float (batch, T, F).
    """
    if meso_filters is None:
        meso_filters = hp.Choice("meso_filters", [8, 16], default=8)
    if meso_units is None:
        meso_units = hp.Choice("meso_units", [16, 32, 64], default=16)
    if meso_dropout is None:
        meso_dropout = hp.Float("meso_dropout", 0.0, 0.5, step=0.1, default=0.5)
    plan = ((1, 3, 2), (1, 5, 2), (2, 5, 2), (2, 5, 4))
    for place, (width, size, pool) in enumerate(plan, start=1):
        conv = keras.layers.Conv3D(
            meso_filters * width,
            (1, size, size),
            padding="same",
            activation="relu",
            name=f"{name}_conv{place}",
        )
        x = _norm(conv(x), name=f"{name}_norm{place}")
        window = (1, pool, pool)
        x = keras.layers.MaxPooling3D(window, padding="same", name=f"{name}_pool{place}")(x)
    _, time, height, side, features = x.shape
    x = keras.layers.Reshape((time, height * side * features), name=f"{name}_flat")(x)
    if meso_dropout:
        x = keras.layers.Dropout(meso_dropout, name=f"{name}_dropout")(x)
    x = keras.layers.Dense(meso_units, name=f"{name}_units")(x)
    return keras.layers.LeakyReLU(0.1, name=f"{name}_sequence")(x)


def small_xception(
    hp: Any,
    x: keras.KerasTensor,
    *,
    name: str,
    xception_filters: int | None = None,
    xception_blocks: int | None = None,
) -> keras.KerasTensor:
    """Apply the entry flow of Xception (Chollet, Xception: Deep Learning with Depthwise Separable
    Convolutions, 2017) at small width.

    Two convolutions, then residual blocks of two separable convolutions and a pooling. Each
    block doubles the width.

    Args:
        hp: Hyperparameters; every argument that is ``None`` is searched.
        x: float (batch, T, H, W, C).
        name: Prefix of the layers.
        xception_filters: Filters of the first convolution, 32 in the paper; ``None``
            searches 8 and 16.
        xception_blocks: Blocks, 3 in the paper; ``None`` searches 1 to 3.

    Returns:
        float (batch, T, F).
    """
    if xception_filters is None:
        xception_filters = hp.Choice("xception_filters", [8, 16], default=8)
    if xception_blocks is None:
        xception_blocks = hp.Int("xception_blocks", 1, 3, default=3)
    x = strided_conv(x, xception_filters, name=f"{name}_stem1")
    x = strided_conv(x, 2 * xception_filters, stride=1, name=f"{name}_stem2")
    for block in range(xception_blocks):
        filters, called = 4 * xception_filters * 2**block, f"{name}_block{block + 1}"
        shortcut = _project(x, filters, name=f"{called}_shortcut")
        if block:
            x = keras.layers.ReLU(name=f"{called}_relu1")(x)
        x = _separable(x, filters, name=f"{called}_separable1")
        x = keras.layers.ReLU(name=f"{called}_relu2")(x)
        x = _separable(x, filters, name=f"{called}_separable2")
        x = keras.layers.MaxPooling3D(
            (1, 3, 3), strides=(1, 2, 2), padding="same", name=f"{called}_pool"
        )(x)
        x = keras.layers.Add(name=f"{called}_add")([x, shortcut])
    x = keras.layers.ReLU(name=f"{name}_relu")(x)
    return pool_frames(x, name=name)


def strided_conv(
    x: keras.KerasTensor, filters: int, *, stride: int = 2, name: str
) -> keras.KerasTensor:
    """Halve the resolution of every frame: 3x3 convolution, batch norm, ReLU.

    The statistics of the batch norm follow within tens of steps: trials are short.
    """
    x = _conv(x, filters, stride, name=f"{name}_conv")
    x = _norm(x, name=f"{name}_norm")
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def pool_frames(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """Average the pixels of each frame: (batch, T, h, w, F) to (batch, T, F)."""
    _, time, height, width, features = x.shape
    x = keras.layers.AveragePooling3D((1, height, width), name=f"{name}_pool")(x)
    return keras.layers.Reshape((time, features), name=f"{name}_sequence")(x)


def _residual(x: keras.KerasTensor, filters: int, stride: int, *, name: str) -> keras.KerasTensor:
    y = strided_conv(x, filters, stride=stride, name=f"{name}_first")
    y = _norm(_conv(y, filters, 1, name=f"{name}_second_conv"), name=f"{name}_second_norm")
    if stride > 1:
        x = _project(x, filters, name=f"{name}_shortcut")
    y = keras.layers.Add(name=f"{name}_add")([x, y])
    return keras.layers.ReLU(name=f"{name}_relu")(y)


def _project(x: keras.KerasTensor, filters: int, *, name: str) -> keras.KerasTensor:
    """Apply a shortcut that halves the resolution: 1x1 convolution and batch norm."""
    x = keras.layers.Conv3D(
        filters, 1, strides=(1, 2, 2), padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return _norm(x, name=f"{name}_norm")


def _separable(x: keras.KerasTensor, filters: int, *, name: str) -> keras.KerasTensor:
    """Apply a 3x3 convolution of each channel, a 1x1 convolution over channels, batch norm."""
    depthwise = keras.layers.DepthwiseConv2D(
        3, padding="same", use_bias=False, name=f"{name}_frame"
    )
    x = keras.layers.TimeDistributed(depthwise, name=f"{name}_depthwise")(x)
    x = keras.layers.Conv3D(filters, 1, use_bias=False, name=f"{name}_pointwise")(x)
    return _norm(x, name=f"{name}_norm")


def _conv(x: keras.KerasTensor, filters: int, stride: int, *, name: str) -> keras.KerasTensor:
    return keras.layers.Conv3D(
        filters,
        (1, 3, 3),
        strides=(1, stride, stride),
        padding="same",
        use_bias=False,
        name=name,
    )(x)


def _norm(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    return keras.layers.BatchNormalization(momentum=0.9, name=name)(x)


SMALL_NETWORKS: dict[str, Callable[..., keras.KerasTensor]] = {
    "small_cnn": small_cnn,
    "small_resnet": small_resnet,
    "meso": meso,
    "small_xception": small_xception,
}
