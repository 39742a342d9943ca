"""The part of a stored clip that the streams use: its centre, in the pixels of the networks."""

from __future__ import annotations

import keras

from spaces.layers.fixed_kernels import EXACT


def crop_centre(
    frames: keras.KerasTensor, *, share: float, size: int, name: str
) -> keras.KerasTensor:
    """Cut out the centre of every frame and resize it, in stock layers that every format has.

    Frames are moved into the channels, so that layers for pictures treat all of them at once.
    Where a side shrinks to a half or less, whole pixels are averaged first; the rest is bilinear.

    Args:
        frames: uint8 (batch, T, H, H, C).
        share: Side of the centre square in sides of the frame, above 0 and at most 1. It has at
            least ``size`` pixels if the frame has them, so that nothing is enlarged.
        size: Side of the result in pixels, at most that of the frame.
        name: First part of the names of the layers.

    Returns:
        float32 (batch, T, S, S, C) in 0..255, S at most ``size``; the frames themselves if that is
        their size.
    """
    _, count, side, _, channels = frames.shape
    made = min(size, side)
    border = (side - max(round(share * side), made)) // 2
    centre = side - 2 * border
    if centre == made == side:
        return frames
    x = frames
    if border:
        cut = ((0, 0), (border, border), (border, border))
        x = keras.layers.Cropping3D(cut, name=f"{name}_centre")(x)
    x = keras.layers.Rescaling(1.0, dtype=EXACT, name=f"{name}_float")(x)
    if centre == made:
        return x
    if count > 1:
        x = keras.layers.Permute((2, 3, 1, 4), dtype=EXACT, name=f"{name}_frames_last")(x)
    x = keras.layers.Reshape((centre, centre, count * channels), dtype=EXACT, name=f"{name}_flat")(
        x
    )
    if centre >= 2 * made:
        x = keras.layers.AveragePooling2D(centre // made, dtype=EXACT, name=f"{name}_mean")(x)
    if x.shape[1] != made:
        x = keras.layers.Resizing(made, made, dtype=EXACT, name=f"{name}_resized")(x)
    if count == 1:
        return keras.layers.Reshape((1, made, made, channels), dtype=EXACT, name=f"{name}_apart")(x)
    x = keras.layers.Reshape((made, made, count, channels), dtype=EXACT, name=f"{name}_apart")(x)
    return keras.layers.Permute((3, 1, 2, 4), dtype=EXACT, name=f"{name}_frames_first")(x)
