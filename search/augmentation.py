"""Changes of a clip that leave its label what it is, the same for all that is stored of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.modalities import with_grey

CHANGED = ("frames", "flow")

CONTRAST = 0.15
BRIGHTNESS = 12.0
NOISE = 3.0


def augment(clip: Mapping[str, npt.NDArray[Any]], rng: np.random.Generator) -> None:
    """Change a clip in place: mirror, contrast, brightness, noise; grey follows colour.

    One draw a clip: its frames share it, so that motion stays what it was. Noise is drawn anew for
    each frame, as a camera does. A mirrored clip has its flow mirrored, and what moved right now
    moves left; nothing else touches flow, and nothing at all touches sound. What is drawn does not
    depend on which arrays are given.

    Args:
        clip: any of ``frames``, uint8 (T, H, W, 4), ``flow``, float (T - 1, h, w, 3) of u, v and
            strain, and ``audio``.
        rng: where the changes are drawn from.
    """
    mirrored = rng.random() < 0.5
    contrast = rng.uniform(1 - CONTRAST, 1 + CONTRAST)
    brightness = rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    noise = rng.uniform(0, NOISE)
    if mirrored:
        for name in CHANGED:
            if name in clip:
                clip[name][:] = clip[name][:, :, ::-1].copy()
        if "flow" in clip:
            clip["flow"][..., 0] *= -1
    if "frames" in clip:
        frames = clip["frames"]
        colour = frames[..., :3].astype(np.float32)
        colour *= contrast
        colour += 128 * (1 - contrast) + brightness
        colour += np.float32(noise) * rng.standard_normal(colour.shape, np.float32)
        frames[:] = with_grey(np.clip(np.rint(colour), 0, 255).astype(np.uint8))


def generator_of(view: int, key: str) -> np.random.Generator:
    """Where a stored view of a clip is drawn from, the same in every trial and process.

    Args:
        view: number of the view, from 0.
        key: of the clip.
    """
    return np.random.default_rng([view, *key.encode()])
