"""Masks of the manipulated pixels of a video, at the positions of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.errors import VideoError
from data_prep.video.video import SampledFrames, read_frames

# Masks are videos in white on black. Compression leaves traces around the white.
_WHITE = 64
UNTOUCHED, MANIPULATED, UNKNOWN = 0, 1, 255


def read_mask(
    path: Path, sampled: SampledFrames, *, threads: int = 0
) -> Sequence[npt.NDArray[np.uint8]] | None:
    """Read the frames of a mask that belong to the frames of a video.

    Args:
        path: the mask, a video or a folder of frames.
        sampled: frames of the video.
        threads: decoder threads, 0 lets the decoder choose.

    Returns:
        T times uint8 (H, W, 3) of the size of the frames, or None if the mask cannot be read or is
        shorter than the video.
    """
    try:
        found = read_frames(path, len(sampled.indices), threads=threads, positions=sampled.indices)
    except VideoError:
        return None
    if not np.array_equal(found.indices, sampled.indices):
        return None
    height, width = sampled.frames[0].shape[:2]
    return [
        frame
        if frame.shape[:2] == (height, width)
        else np.asarray(cv2.resize(frame, (width, height)), np.uint8)
        for frame in found.frames
    ]


def binarize(crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Turn crops of a mask, uint8 (T, S, S, 3), into uint8 (T, S, S) of 0 and 1."""
    return np.where(crops.max(axis=-1) >= _WHITE, MANIPULATED, UNTOUCHED).astype(np.uint8)
