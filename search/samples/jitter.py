"""Shifted, turned and zoomed faces: one change for all frames of a clip."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

SHIFT = 0.05
"""Largest shift in sides of the crop."""
DEGREES = 10.0
"""Largest rotation."""
ZOOM = (0.88, 1.12)
"""Range of the zoom."""


def jitter(frames: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return frames shifted, turned and zoomed at random, all in the same way.

    Detectors place a face less exactly than the border of a fake lies. So a network must not learn
    the position of the border. What lies outside a frame is its mirror image.

    Args:
        frames: uint8 (T, S, S, C); not changed.
        rng: Source of the random choices.

    Returns:
        uint8 (T, S, S, C).
    """
    size = frames.shape[1]
    centre = (size - 1) / 2
    matrix = cv2.getRotationMatrix2D(
        (centre, centre), rng.uniform(-DEGREES, DEGREES), rng.uniform(*ZOOM)
    )
    matrix[:, 2] += rng.uniform(-SHIFT, SHIFT, 2) * size
    moved = [
        cv2.warpAffine(
            frame, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        for frame in frames
    ]
    return np.asarray(np.stack(moved), np.uint8)
