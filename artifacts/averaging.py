"""Several looks at one clip, averaged: its mirror image, and windows of a video.

A look is only averaged where it is as likely as the clip itself: a mirrored face is a face, and
frames between the sampled ones are frames of the same video, at the same distance in time. A clip
played backwards is neither, so it is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.flow import flow_and_strain

_SMALLEST = 1e-7

Arrays = Mapping[str, npt.NDArray[Any]]


def mirrored(arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    """A batch of clips, left and right exchanged; sound stays.

    Args:
        arrays: any of ``frames``, (n, T, H, W, 4), ``flow``, (n, T - 1, h, w, 3) of u, v and
            strain, and ``audio``, first axis n.
    """
    turned = dict(arrays)
    for name in ("frames", "flow"):
        if name in arrays:
            turned[name] = np.ascontiguousarray(arrays[name][:, :, :, ::-1])
    if "flow" in turned:
        # What moved right moves left.
        turned["flow"][..., 0] *= -1
    return turned


def windows_of(clip: Arrays, windows: int) -> dict[str, npt.NDArray[Any]]:
    """A clip of many frames as a batch of clips of fewer, each over its whole length.

    The first window has frames 0, w, 2w and so on, the second 1, w + 1 and so on. Flow is computed
    anew, since other frames are neighbours.

    Args:
        clip: ``frames``, uint8 (w * T, S, S, 4), and maybe ``flow`` and ``audio``, (w * T, ...).
        windows: w.

    Returns:
        The same names, first axis w.
    """
    batch = {
        name: np.stack([clip[name][first::windows] for first in range(windows)])
        for name in ("frames", "audio")
        if name in clip
    }
    if "flow" in clip:
        batch["flow"] = np.stack([flow_and_strain(frames) for frames in batch["frames"]])
    return batch


def average(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The probability of the mean logit over the first axis."""
    sure = np.clip(np.asarray(probabilities, np.float64), _SMALLEST, 1 - _SMALLEST)
    logits = np.log(sure) - np.log1p(-sure)
    return np.asarray(1 / (1 + np.exp(-logits.mean(axis=0))))
