"""Test of whether a detector uses the order of frames."""

from __future__ import annotations

import cv2
import keras
import numpy as np
import numpy.typing as npt

from artifacts.models.inference import ScoreError, probabilities
from data_prep.video.grey import with_grey

# Rounding lets answers differ by less, in probability; motion makes them differ by more.
_SAME = 1e-4
_BATCH = 8
_SMALLEST, _GREATEST = 1e-3, 1 - 1e-3


def is_blind_to_order(model: keras.Model) -> bool:
    """Return whether the answer on a clip is independent of the order of its frames.

    This holds for a model that was trained on pictures or that averages its frames: the distance of
    frames in time then has no effect. The test shuffles the frames that affect the answer, since
    some models skip frames. A model with further inputs, or with a saturated answer on the test
    clip, is assumed to use motion.

    Args:
        model: a detector on uint8 clips (T, H, W, 4).
    """
    shape = model.inputs[0].shape[1:]
    if len(model.inputs) > 1:
        return False
    if shape[0] == 1:
        return True
    try:
        return _is_unchanged_by_order(model, shape)
    except ScoreError:
        # Each video is then refused with the reason.
        return False


def _is_unchanged_by_order(model: keras.Model, shape: tuple[int, ...]) -> bool:
    clip, other = _patterns(shape[0], shape[1]), _patterns(shape[0], shape[1], seed=1)
    seen, plain = _seen(model, clip, other)
    if not len(seen) or not _SMALLEST <= plain <= _GREATEST:
        return False
    moved = np.repeat(clip[None], 2, axis=0)
    for turned, order in zip(moved, (seen[::-1], np.roll(seen, 1)), strict=True):
        turned[seen] = clip[order]
    return bool((np.abs(_answers(model, moved) - plain) <= _SAME).all())


def _answers(model: keras.Model, clips: npt.NDArray[np.uint8]) -> npt.NDArray[np.floating]:
    return probabilities(model, {model.inputs[0].name: clips})


def _seen(
    model: keras.Model, clip: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int64], float]:
    """Return the frames that change the answer on a clip if replaced, and the answer."""
    found = []
    for start in range(0, len(clip), _BATCH - 1):
        frames = np.arange(start, min(start + _BATCH - 1, len(clip)))
        # The clip itself is first: in batches of other sizes its answer may round otherwise.
        clips = np.repeat(clip[None], 1 + len(frames), axis=0)
        clips[1 + np.arange(len(frames)), frames] = other[frames]
        plain, *changed = _answers(model, clips).tolist()
        found += [at for at, answer in zip(frames, changed, strict=True) if answer != plain]
    return np.array(found, np.int64), plain


def _patterns(frames: int, side: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Draw a clip whose frames have nothing in common, uint8 (T, side, side, 4)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (frames, 8, 8, 3), np.uint8)
    smooth = [cv2.resize(one, (side, side), interpolation=cv2.INTER_CUBIC) for one in coarse]
    return with_grey(np.stack(smooth).astype(np.uint8))
