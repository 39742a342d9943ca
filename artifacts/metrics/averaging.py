"""Several looks at one clip or video, averaged, and the mirror image as such a look.

A look is only averaged where it is as likely as the clip itself: a mirrored face is a face. A clip
played backwards is not as likely, so it is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

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


def average(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The probability of the mean logit over the first axis."""
    sure = np.clip(np.asarray(probabilities, np.float64), _SMALLEST, 1 - _SMALLEST)
    logits = np.log(sure) - np.log1p(-sure)
    return np.asarray(1 / (1 + np.exp(-logits.mean(axis=0))))
