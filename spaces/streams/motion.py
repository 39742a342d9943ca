"""Motion of a face: the part of it that is looked at, and maps of how it moves.

All of it is fixed: crops, pooling, repetition and linear filters, in stock layers and float32.
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from spaces.layers.fixed_kernels import EXACT, fixed_conv, grey

SOURCES = ("grey", "differences", "flow")

# Top, bottom, left and right as fractions of the crop. In square crops of 1.3 face boxes, seen on
# 900 frames of public face videos, nearly all eyes lie at 0.32..0.52 from the top and 0.24..0.74
# from the left, mouth corners at 0.61..0.79 and 0.26..0.71; crops turned by landmarks have the eyes
# at 0.47 and the mouth at 0.75. Brows, cheeks and chin stay in view.
REGIONS = {
    "face": (0.0, 1.0, 0.0, 1.0),
    "eyes": (0.2, 0.6, 0.1, 0.9),
    "mouth": (0.55, 0.9, 0.2, 0.8),
}

# Loss of height and width by the gradients of a change.
_RIM = 2

# Brings u and v (pixels from one stored frame to the next) and strain to about unit size: their
# standard deviations on sampled frames of 128 px are about 4 px and 0.4.
FLOW_SCALE = (0.25, 0.25, 2.5)


def motion_maps(
    source: str,
    frames: keras.KerasTensor,
    flow: keras.KerasTensor | None,
    region: str,
    side: int,
    *,
    name: str,
) -> keras.KerasTensor:
    """Return the input of a network for a region, at about its side.

    It is float32 (batch, T', h, w, C).
    """
    if source == "flow":
        x = flow_maps(region_of(flow, region, name=name), name=name)
        return resize(x, side, name=name)
    x = grey(region_of(frames, region, name=name), name=name)
    if source == "grey":
        return resize(x, side, name=name)
    return changes(resize(x, side + _RIM, name=name), name=name)


def region_of(x: keras.KerasTensor, region: str, *, name: str) -> keras.KerasTensor:
    """Cut a region of :data:`REGIONS` out of a clip (batch, T, H, W, C) of a face."""
    _, _, height, width, _ = x.shape
    top, bottom, left, right = REGIONS[region]
    rows = (round(top * height), height - round(bottom * height))
    columns = (round(left * width), width - round(right * width))
    if not any(rows + columns):
        return x
    cut = ((0, 0), rows, columns)
    return keras.layers.Cropping3D(cut, dtype=EXACT, name=f"{name}_{region}")(x)


def resize(x: keras.KerasTensor, side: int, *, name: str) -> keras.KerasTensor:
    """Bring height and width to about ``side``, between two thirds and one and a half times it.

    Each is averaged or repeated a whole number of times, so it takes stock layers alone.
    """
    _, _, height, width, _ = x.shape
    fewer = tuple(max(1, round(pixels / side)) for pixels in (height, width))
    more = tuple(max(1, round(side / pixels)) for pixels in (height, width))
    if any(factor > 1 for factor in fewer):
        x = keras.layers.AveragePooling3D((1, *fewer), dtype=EXACT, name=f"{name}_shrink")(x)
    if any(factor > 1 for factor in more):
        x = keras.layers.UpSampling3D((1, *more), dtype=EXACT, name=f"{name}_grow")(x)
    return x


def changes(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """Compute the change between neighbouring frames and its two spatial gradients.

    It replaces optical flow and its strain, which no stock layer computes. For small motion, the
    change of brightness is the flow times the image gradient (Horn and Schunck, Determining Optical
    Flow, 1981).

    Args:
        x: float (batch, T, h, w, 1), grey.
        name: prefix of the layer's name.

    Returns:
        float (batch, T - 1, h - 2, w - 2, 3).
    """
    return fixed_conv(x, change_kernels(), name=f"{name}_changes")


def change_kernels() -> npt.NDArray[np.float32]:
    """Return the filters of :func:`changes`, (2, 3, 3, 1, 3).

    They are the change, its gradient along a row, and along a column.
    """
    centre = np.zeros((3, 3))
    centre[1, 1] = 1.0
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    kernel = np.stack([centre, sobel, sobel.T], axis=-1)
    return np.stack([-kernel, kernel])[:, :, :, None, :].astype(np.float32)


def flow_maps(flow: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """Scale stored flow, float16 (batch, T - 1, h, w, 3), by :data:`FLOW_SCALE` to float32."""
    return keras.layers.Rescaling(list(FLOW_SCALE), dtype=EXACT, name=f"{name}_flow")(flow)


def dynamic_image(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """Compute the dynamic image of a clip: one picture of its changes and their direction.

    It is approximate rank pooling (Bilen et al., Dynamic Image Networks for Action Recognition,
    2016), a weighted sum over time from float (batch, T, h, w, C) to (batch, 1, h, w, C).
    """
    _, time, _, _, channels = x.shape
    kernel = np.multiply.outer(rank_weights(time), np.eye(channels))
    return fixed_conv(x, kernel[:, None, None], name=f"{name}_dynamic_image")


def rank_weights(time: int) -> npt.NDArray[np.float32]:
    """Return weights of approximate rank pooling for ``time`` frames, float32 (T,).

    The weight of frame t = 1..T is 2 (T - t + 1) - (T + 1) (1/t + ... + 1/T); all add up to 0. They
    are divided by the sum of the positive ones. The picture is then the difference of two mean
    frames, in the unit of the frames. A single frame has the weight 1.
    """
    if time == 1:
        return np.ones(1, np.float32)
    place = np.arange(1, time + 1)
    rest = np.cumsum(1 / place[::-1])[::-1]
    weights = 2 * (time - place + 1) - (time + 1) * rest
    return (weights / weights[weights > 0].sum()).astype(np.float32)
