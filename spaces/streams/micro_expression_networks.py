"""Micro-expression networks, as published, for a few motion maps or a whole volume of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras

from spaces.streams.motion import SOURCES


def ststnet(
    x: keras.KerasTensor, width: float, dropout: float, units: int, *, name: str
) -> keras.KerasTensor:
    """Apply STSTNet to every set of motion maps, (batch, T, h, w, C) to (batch, 2 * units).

    Three shallow paths of 3, 5 and 8 filters side by side (Liong et al., Shallow Triple Stream
    Three-dimensional CNN (STSTNet) for Micro-expression Recognition, 2019). A dense layer embeds
    each set of maps; the mean and the maximum over time are kept.
    """
    paths = []
    for filters in (3, 5, 8):
        path = f"{name}_path{filters}"
        y = _conv(x, _scaled(filters, width), (1, 3, 3), name=path)
        y = norm(y, name=path)
        y = keras.layers.MaxPooling3D((1, 3, 3), padding="same", name=f"{path}_max")(y)
        paths.append(_dropout(y, dropout, name=path))
    x = keras.layers.Concatenate(name=f"{name}_paths")(paths)
    x = keras.layers.AveragePooling3D((1, 2, 2), name=f"{name}_mean")(x)
    _, time, height, side, features = x.shape
    x = keras.layers.Reshape((time, height * side * features), name=f"{name}_flat")(x)
    x = keras.layers.Dense(units, activation="relu", name=f"{name}_embed")(x)
    mean = keras.layers.GlobalAveragePooling1D(name=f"{name}_over_time_mean")(x)
    peak = keras.layers.GlobalMaxPooling1D(name=f"{name}_over_time_max")(x)
    return keras.layers.Concatenate(name=f"{name}_embedding")([mean, peak])


def microexpstcnn(
    x: keras.KerasTensor, width: float, dropout: float, units: int, *, name: str
) -> keras.KerasTensor:
    """Apply MicroExpSTCNN to a volume, (batch, T, h, w, C) to (batch, units).

    It has one 3-D convolution of 32 filters, max-pooling by 3, and a dense layer (Reddy et al.,
    Spontaneous Facial Micro-Expression Recognition using 3D Spatiotemporal Convolutional Neural
    Networks, 2019). In the paper, its filters cover 15 of 96 frames. Here they cover at most half
    the clip, and at least two frames.
    """
    time = x.shape[1]
    reach = min(15, time, max(2, time // 2))
    x = _conv(x, _scaled(32, width), (reach, 3, 3), padding="valid", name=name)
    pool = (min(3, x.shape[1]), 3, 3)
    x = keras.layers.MaxPooling3D(pool, name=f"{name}_max")(x)
    x = _dropout(x, dropout, name=name)
    x = keras.layers.Flatten(name=f"{name}_flat")(x)
    x = keras.layers.Dense(units, activation="relu", name=f"{name}_embedding")(x)
    return _dropout(x, dropout, name=f"{name}_embedding")


def learnet(
    x: keras.KerasTensor, width: float, dropout: float, units: int, *, name: str
) -> keras.KerasTensor:
    """Apply LEARNet to a dynamic image, (batch, 1, h, w, C) to (batch, units).

    It has four lateral paths of 1x1, 3x3 and 5x5 convolutions. The second and the fourth add the
    features of the first and the third (Verma et al., LEARNet: Dynamic Imaging Network for Micro
    Expression Recognition, 2019). Every convolution halves the resolution.
    """
    x = _conv(x, _scaled(16, width), (1, 3, 3), halve=True, name=f"{name}_stem")
    paths = []
    for pair in (1, 2):
        plain = taking = x
        for filters, side in ((16, 1), (32, 3), (64, 5)):
            count, kernel = _scaled(filters, width), (1, side, side)
            level = f"{name}_pair{pair}_conv{side}"
            plain = _conv(plain, count, kernel, halve=True, name=f"{level}_plain")
            taking = _conv(taking, count, kernel, halve=True, name=f"{level}_taking")
            if filters < 64:
                taking = keras.layers.Add(name=f"{level}_accretion")([plain, taking])
                taking = norm(taking, name=f"{level}_accretion")
        paths += [plain, taking]
    x = keras.layers.Concatenate(name=f"{name}_paths")(paths)
    x = norm(x, name=f"{name}_paths")
    x = _conv(x, _scaled(256, width), (1, 3, 3), halve=True, name=f"{name}_last")
    x = keras.layers.Flatten(name=f"{name}_flat")(x)
    x = keras.layers.Dense(units, activation="relu", name=f"{name}_embedding")(x)
    return _dropout(x, dropout, name=f"{name}_embedding")


@dataclasses.dataclass(frozen=True)
class Network:
    """A micro-expression network, its input and its search space.

    Attributes:
        build: ``build(x, width, dropout, units, name=...)`` on (batch, T, h, w, C).
        side: side of its input in pixels, approximately.
        sources: accepted ones of :data:`SOURCES`; the first available one is the default.
        as_dynamic_image: whether its input is the clip as one picture.
        widths, units, default_units: searched values; the default width is 1, the paper's.
    """

    build: Callable[..., keras.KerasTensor]
    side: int
    sources: tuple[str, ...]
    as_dynamic_image: bool
    widths: tuple[float, ...]
    units: tuple[int, ...]
    default_units: int


NETWORKS = {
    "ststnet": Network(
        ststnet, 28, ("flow", "differences"), False, (1.0, 2.0, 4.0), (16, 32, 64), 32
    ),
    "microexpstcnn": Network(
        microexpstcnn, 64, SOURCES, False, (0.25, 0.5, 1.0), (32, 64, 128), 128
    ),
    "learnet": Network(learnet, 112, ("grey", "flow"), True, (0.25, 0.5, 1.0), (64, 128, 256), 256),
}


def _conv(
    x: keras.KerasTensor,
    filters: int,
    kernel: tuple[int, int, int],
    *,
    halve: bool = False,
    padding: str = "same",
    name: str,
) -> keras.KerasTensor:
    return keras.layers.Conv3D(
        filters,
        kernel,
        strides=(1, 2, 2) if halve else 1,
        padding=padding,
        activation="relu",
        name=f"{name}_conv",
    )(x)


def norm(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """Batch norm whose statistics follow within tens of steps: trials are short."""
    return keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)


def _dropout(x: keras.KerasTensor, rate: float, *, name: str) -> keras.KerasTensor:
    return keras.layers.Dropout(rate, name=f"{name}_dropout")(x) if rate > 0 else x


def _scaled(filters: int, width: float) -> int:
    return max(1, round(filters * width))
