"""Preprocessing of pixels for ImageNet networks, in fixed layers of the graph."""

from __future__ import annotations

import keras
import numpy as np

from spaces.layers.fixed_kernels import fixed_conv

IMAGENET_BGR_MEAN = (103.939, 116.779, 123.68)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
MODES = ("caffe", "tf", "torch", "none")


def preprocess(
    frames: keras.KerasTensor, mode: str, *, frame_stride: int = 1, name: str
) -> keras.KerasTensor:
    """Return the colours of every ``frame_stride``-th frame, scaled as in a network's training.

    ``caffe`` is B, G, R in 0..255 minus the ImageNet mean; ``tf`` R, G, B in -1..1; ``torch`` R, G,
    B in 0..1 minus the ImageNet mean, divided by its deviation; ``none`` R, G, B in 0..255.

    Args:
        frames: uint8 (batch, T, H, W, 4): R, G, B and grey.
        mode: One of :data:`MODES`, the modes of ``keras.applications``.
        frame_stride: Take every n-th frame.
        name: Prefix of the layers.

    Returns:
        float (batch, T', H, W, 3).

    Raises:
        ValueError: The mode is unknown.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be of {MODES}. Received: {mode!r}")
    order, scale, offset = (0, 1, 2), np.ones(3), np.zeros(3)
    if mode == "caffe":
        order, offset = (2, 1, 0), -np.array(IMAGENET_BGR_MEAN)
    elif mode == "tf":
        scale, offset = np.full(3, 1 / 127.5), np.full(3, -1.0)
    elif mode == "torch":
        scale = 1 / (255 * np.array(IMAGENET_DEVIATION))
        offset = -np.array(IMAGENET_MEAN) / np.array(IMAGENET_DEVIATION)
    kernel = np.zeros((1, 1, 1, 4, 3), np.float32)
    kernel[0, 0, 0, order, (0, 1, 2)] = scale
    bias = offset.astype(np.float32) if offset.any() else None
    x = keras.layers.Rescaling(1.0, dtype="float32", name=f"{name}_float")(frames)
    strides = (frame_stride, 1, 1)
    return fixed_conv(x, kernel, bias, name=f"{name}_pixels", strides=strides)
