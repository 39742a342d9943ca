"""Averages of probabilities, and mirror images of clips.

A mirrored face is a face, so its probability may be averaged with that of the clip. A reversed clip
is not natural, so it is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_SMALLEST = 1e-7

Arrays = Mapping[str, npt.NDArray[Any]]


def mirrored(arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    """Return a batch of clips with left and right exchanged; sound is not changed.

    Args:
        arrays: Any of ``frames``, (n, T, H, W, 4), ``flow``, (n, T - 1, h, w, 3) with u, v and
            strain, and ``audio``, first axis n.
    """
    turned = dict(arrays)
    for name in ("frames", "flow"):
        if name in arrays:
            turned[name] = np.ascontiguousarray(arrays[name][:, :, :, ::-1])
    if "flow" in turned:
        # Motion to the right becomes motion to the left.
        turned["flow"][..., 0] *= -1
    return turned


def average(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the probability of the mean logit over the first axis."""
    sure = np.clip(np.asarray(probabilities, np.float64), _SMALLEST, 1 - _SMALLEST)
    logits = np.log(sure) - np.log1p(-sure)
    return np.asarray(1 / (1 + np.exp(-logits.mean(axis=0))))
