"""Fixed, non-trainable convolutions: channel selection and preprocessing.

A legacy ``.h5`` cannot hold slicing or arithmetic on tensors, and loading must never need code of
this project. Each of these steps is linear, so each is a stock ``Conv3D`` with fixed weights. All
compute in float32 whatever the dtype policy: mixed precision would round pixels.
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

GREY_CHANNEL = 3
EXACT = "float32"


def fixed_conv(
    x: keras.KerasTensor,
    kernel: npt.NDArray[np.floating],
    bias: npt.NDArray[np.floating] | None = None,
    *,
    name: str,
    strides: tuple[int, int, int] = (1, 1, 1),
    padding: str = "valid",
) -> keras.KerasTensor:
    """Apply a frozen 3-D convolution.

    Args:
        x: float (batch, T, H, W, C).
        kernel: (kT, kH, kW, C, C').
        bias: (C',), or none.
        name: Layer name, unique in the model.
        strides: Strides over T, H and W.
        padding: ``valid`` or ``same``.

    Returns:
        float (batch, T', H', W', C').
    """
    layer = keras.layers.Conv3D(
        filters=kernel.shape[-1],
        kernel_size=kernel.shape[:3],
        strides=strides,
        padding=padding,
        use_bias=bias is not None,
        trainable=False,
        dtype=EXACT,
        name=name,
    )
    y = layer(x)
    layer.set_weights([kernel] if bias is None else [kernel, bias])
    return y


def rgb(frames: keras.KerasTensor, *, frame_stride: int = 1, name: str) -> keras.KerasTensor:
    """Return colour in 0..1 of every ``frame_stride``-th frame: float (batch, T', H, W, 3)."""
    kernel = np.zeros((1, 1, 1, 4, 3), np.float32)
    kernel[0, 0, 0, [0, 1, 2], [0, 1, 2]] = 1.0
    x = keras.layers.Rescaling(1 / 255, dtype=EXACT, name=f"{name}_unit")(frames)
    return fixed_conv(x, kernel, name=f"{name}_rgb", strides=(frame_stride, 1, 1))


def grey(frames: keras.KerasTensor, *, frame_stride: int = 1, name: str) -> keras.KerasTensor:
    """Return grey in 0..255 of every ``frame_stride``-th frame: float (batch, T', H, W, 1)."""
    kernel = np.zeros((1, 1, 1, 4, 1), np.float32)
    kernel[0, 0, 0, GREY_CHANNEL, 0] = 1.0
    x = keras.layers.Rescaling(1.0, dtype=EXACT, name=f"{name}_float")(frames)
    return fixed_conv(x, kernel, name=f"{name}_grey", strides=(frame_stride, 1, 1))


def truncate(x: keras.KerasTensor, limit: float, *, name: str) -> keras.KerasTensor:
    """Clip values to -limit..limit and scale them to -1..1, in stock layers."""
    x = keras.layers.Rescaling(1.0, offset=limit, dtype=EXACT, name=f"{name}_shift")(x)
    x = keras.layers.ReLU(max_value=2 * limit, dtype=EXACT, name=f"{name}_clip")(x)
    return keras.layers.Rescaling(1 / limit, offset=-1.0, dtype=EXACT, name=f"{name}_scale")(x)
