"""Occlusion: the effect of a covered part of a face on a detector."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import numpy.typing as npt

from artifacts.explain.heat import Explainer, Heat
from artifacts.explain.layers import Arrays
from spaces.streams.names import FLOW, FRAMES

GREY = 127


def occlusion(model: keras.Model, arrays: Arrays, patch: int = 16) -> Heat:
    """Measure the drop of the logit of fake when a grey square covers a position.

    This checks a heat map without gradients (Zeiler and Fergus, Visualizing and Understanding
    Convolutional Networks, 2014). The square covers the position in all frames. The squares lie
    side by side, and every pixel has the drop of its square. Above 0, the covered region raised the
    fake score. Optical flow is 0 in covered regions. Each square takes one pass: 64 for 128 px.

    Args:
        model: a detector, or several as one (:mod:`artifacts.models.ensemble`).
        arrays: arrays of n clips, by the names of the model's inputs, and maybe more.
        patch: side of the square in pixels.

    Returns:
        float32 (n, H, W).

    Raises:
        ValueError: the square is larger than a frame, or nothing.
    """
    frames = arrays[FRAMES]
    height, width = frames.shape[2:4]
    if not 1 <= patch <= min(height, width):
        raise ValueError(f"patch must be 1 to {min(height, width)} px. Received: {patch}")
    explainer = Explainer(model)
    whole = explainer.logits(arrays)
    drops = np.zeros((len(frames), height, width), np.float32)
    for top, left in itertools.product(range(0, height, patch), range(0, width, patch)):
        place = slice(top, top + patch), slice(left, left + patch)
        covered = dict(arrays) | {FRAMES: _filled(frames, place, (height, width), GREY)}
        if FLOW in arrays:
            covered[FLOW] = _filled(arrays[FLOW], place, (height, width), 0)
        found = whole - explainer.logits(covered)
        drops[:, *place] = found[:, None, None]
    return drops


def _filled(
    array: npt.NDArray[np.generic],
    place: tuple[slice, slice],
    frame: tuple[int, int],
    value: float,
) -> npt.NDArray[np.generic]:
    """Return a copy (n, T, h, w, C) with one value in a region, given in pixels of a frame."""
    copy = array.copy()
    rows, columns = (
        slice(at.start * here // whole, -(-at.stop * here // whole))
        for at, here, whole in zip(place, array.shape[2:4], frame, strict=True)
    )
    copy[:, :, rows, columns] = value
    return copy
