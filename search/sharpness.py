"""The sharpness of a face measured, and set to what it shall be."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from search.degradation_steps import DETAIL, Frames, soften, strengthened

_LEAST, _MOST = -1.0, 3.0


def sharpness(frames: Frames) -> float:
    """Variance of the Laplacian of the grey inner face, mean over the frames.

    The inner face is the central half of the crop, as in :mod:`data_prep.shortcuts`.

    Args:
        frames: uint8 (T, S, S, 3 or 4), RGB and what may follow.
    """
    edges = _edges(frames[..., :3])
    return float(edges.var(axis=(1, 2)).mean())


def with_sharpness(
    frames: Frames, wanted: float, weight: npt.NDArray[np.float32] | None = None
) -> Frames:
    """Frames whose finest detail is strengthened or weakened until their sharpness is as wanted.

    Sharpness is a square of the amount of detail added, so the amount has a closed form. It is the
    same in every frame, and has bounds: what has no detail is not made sharp.

    Args:
        frames: uint8 (T, S, S, 3), RGB.
        wanted: the variance :func:`sharpness` shall give.
        weight: float32 (T, S, S), 0..1, where detail is changed; None for everywhere.
    """
    blurred = soften(frames, DETAIL)
    edges, soft = _edges(frames), _edges(blurred)
    inner = _inner(frames.shape[1])
    change = edges - soft if weight is None else (edges - soft) * weight[:, inner, inner]
    edges -= edges.mean(axis=(1, 2), keepdims=True)
    change -= change.mean(axis=(1, 2), keepdims=True)
    now, both, squared = (
        float(np.vdot(one, other)) / edges.size
        for one, other in ((edges, edges), (edges, change), (change, change))
    )
    if squared <= 0:
        return frames
    root = both**2 - squared * (now - wanted)
    amount = (math.sqrt(max(root, 0.0)) - both) / squared
    changed = strengthened(frames, blurred, min(max(amount, _LEAST), _MOST))
    return changed if weight is None else blended(frames, changed, weight)


def blended(under: Frames, over: Frames, weight: npt.NDArray[np.float32]) -> Frames:
    """``over`` laid on ``under`` where the weight, float32 (T, S, S), is 1; between, both."""
    flat = np.ascontiguousarray(weight).reshape(-1, weight.shape[2])
    tall = (*flat.shape, under.shape[3])
    mixed = cv2.blendLinear(under.reshape(tall), over.reshape(tall), 1 - flat, flat)
    return np.asarray(mixed, np.uint8).reshape(under.shape)


def _inner(size: int) -> slice:
    return slice(size // 4, size - size // 4)


def _edges(frames: Frames) -> npt.NDArray[np.float32]:
    """The Laplacian of the grey inner face, float32 (T, s, s)."""
    inner = _inner(frames.shape[1])
    part = frames[:, inner, inner].astype(np.uint16)
    grey = (part[..., 0] + part[..., 1] + part[..., 2]).astype(np.float32)
    grey /= 3
    return np.stack([cv2.Laplacian(one, cv2.CV_32F) for one in grey])
