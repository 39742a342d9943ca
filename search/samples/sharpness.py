"""Sharpness of a face: measured, and set to a wanted value."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.video.degradation import Frames, remove_detail, sharpen, sharpen_frame

_LEAST, _MOST = -1.0, 3.0
_FRAMES = 8
_MEAN = np.full((1, 3), 1 / 3)
# Half a grey level of 256 is the smallest visible change.
_UNSEEN = 1 / 512


def sharpness(frames: Frames) -> float:
    """Return the variance of the Laplacian of the grey inner face, mean over up to 8 frames.

    The inner face is the central half of the crop, as in :mod:`data_prep.preparation.shortcuts`.

    Args:
        frames: uint8 (T, S, S, 3 or more), RGB first.
    """
    edges = _edges(frames[_few_frames(frames), ..., :3])
    return float(edges.var(axis=(1, 2)).mean())


def set_sharpness(
    frames: Frames, wanted: float, weight: npt.NDArray[np.float32] | None = None
) -> Frames:
    """Return frames whose finest detail is strengthened or weakened to the wanted sharpness.

    Sharpness is a quadratic function of the amount of added detail, so the amount has a closed
    form. It is the same in every frame, and bounded: a picture without detail is not sharpened.

    Args:
        frames: uint8 (T, S, S, 3), RGB.
        wanted: The value that :func:`sharpness` is to return.
        weight: float32 (T, S, S), 0..1, where detail is changed; None for everywhere.
    """
    seen = frames[_few_frames(frames)]
    edges = _edges(seen)
    change = edges - _edges(remove_detail(seen))
    if weight is not None:
        inner = _inner(frames.shape[1])
        change *= weight[_few_frames(frames), inner, inner]
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
    amount = min(max(amount, _LEAST), _MOST)
    if weight is None:
        return sharpen(frames, amount)
    part = touched_region(weight)
    changed = frames.copy()
    # Frame by frame: the data of one frame fits into the cache of a core.
    for out, share in zip(changed, weight, strict=True):
        out[part] = blend(out[part], sharpen_frame(out, amount)[part], share[part])
    return changed


def blend(under: Frames, over: Frames, weight: npt.NDArray[np.float32]) -> Frames:
    """Return one picture, (H, W, 3), blended over another by a weight, (H, W), 0..1."""
    return np.asarray(cv2.blendLinear(under, over, 1 - weight, weight), np.uint8)


def touched_region(weight: npt.NDArray[np.float32]) -> tuple[slice, slice]:
    """Return the rows and columns that a weight, (T, S, S), changes in any frame."""
    seen = weight.max(axis=0) > _UNSEEN
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0, 1), slice(0, 1)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _few_frames(frames: Frames) -> slice:
    """Return a slice of at most ``_FRAMES`` evenly spaced frames."""
    return slice(0, None, -(-len(frames) // _FRAMES))


def _inner(size: int) -> slice:
    return slice(size // 4, size - size // 4)


def _edges(frames: Frames) -> npt.NDArray[np.float32]:
    """Return the Laplacian of the grey inner face, float32 (T, s, s)."""
    inner = _inner(frames.shape[1])
    part = frames[:, inner, inner].astype(np.float32)
    grey = cv2.transform(part.reshape(-1, *part.shape[2:]), _MEAN).reshape(part.shape[:3])
    return np.stack([cv2.Laplacian(one, cv2.CV_32F) for one in grey])
