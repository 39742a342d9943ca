"""What a stored clip holds beside colour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def with_grey(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Add grey as a fourth channel: the mean of red, green and blue, rounded to nearest.

    Args:
        frames: uint8 (..., H, W, 3), RGB.

    Returns:
        uint8 (..., H, W, 4).

    Raises:
        ValueError: the frames are not uint8 with three channels.
    """
    if frames.dtype != np.uint8 or frames.shape[-1] != 3:
        raise ValueError(
            f"frames must be uint8 (..., H, W, 3), received {frames.dtype} {frames.shape}"
        )
    total = frames.sum(axis=-1, dtype=np.uint16, keepdims=True)
    grey = ((total + 1) // 3).astype(np.uint8)
    return np.concatenate([frames, grey], axis=-1)
