"""Changes of a clip that leave its label what it is, the same for all that is stored of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.video import degradation as steps
from data_prep.video.grey import with_grey
from search.samples.degradation import cut_out, degrade

Strength: TypeAlias = Literal["light", "strong"]
STRENGTHS: tuple[Strength, ...] = ("light", "strong")

CHANGED = ("frames", "flow")

CONTRAST = 0.15
BRIGHTNESS = 12.0
NOISE = 3.0
CUT_OUT = 0.15


def augment(
    clip: Mapping[str, npt.NDArray[Any]],
    rng: np.random.Generator,
    strength: Strength = "light",
) -> None:
    """Change a clip in place: mirror, and more; grey follows colour.

    ``light`` changes contrast and brightness and adds noise; ``strong`` does what
    :func:`search.samples.degradation.degrade` says and erases a part of some faces. One draw a
    clip: its
    frames share it, so that motion stays what it was. Noise is drawn anew for each frame, as a
    camera does. A mirrored clip has its flow mirrored, and what moved right now moves left; nothing
    else touches flow, and nothing at all touches sound. What is drawn does not depend on which
    arrays are given.

    Args:
        clip: any of ``frames``, uint8 (T, H, W, 4), ``flow``, float (T - 1, h, w, 3) of u, v and
            strain, ``audio``, and ``points``, float (T, 5, 2), eyes, nose and mouth corners in
            pixels of the crop, without which faces are taken to lie where they mostly do.
        rng: where the changes are drawn from.
        strength: ``light`` or ``strong``.

    Raises:
        ValueError: the strength is unknown.
    """
    if strength not in STRENGTHS:
        raise ValueError(f"strength must be one of {', '.join(STRENGTHS)}; received {strength!r}")
    if rng.random() < 0.5:
        _mirror(clip)
    if strength == "light":
        _relight(clip, rng)
    else:
        _degrade(clip, rng)


def _mirror(clip: Mapping[str, npt.NDArray[Any]]) -> None:
    if "frames" in clip:
        frames = clip["frames"]
        frames[:] = cv2.flip(frames.reshape(-1, *frames.shape[2:]), 1).reshape(frames.shape)
    if "flow" in clip:
        clip["flow"][:] = clip["flow"][:, :, ::-1] * np.array([-1, 1, 1], clip["flow"].dtype)
    if "frames" in clip and "points" in clip:
        # The eye that was left is right now, and so is the corner of the mouth.
        points = clip["points"]
        points[:] = points[:, [1, 0, 2, 4, 3]]
        points[..., 0] = clip["frames"].shape[2] - 1 - points[..., 0]


def _relight(clip: Mapping[str, npt.NDArray[Any]], rng: np.random.Generator) -> None:
    contrast = rng.uniform(1 - CONTRAST, 1 + CONTRAST)
    brightness = rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    noise = rng.uniform(0, NOISE)
    if "frames" in clip:
        matrix = steps.colour_matrix(contrast=contrast, brightness=brightness)
        colour = steps.recolour(steps.colours_of(clip["frames"]), matrix)
        clip["frames"][:] = with_grey(steps.grain(colour, noise, rng))


def _degrade(clip: Mapping[str, npt.NDArray[Any]], rng: np.random.Generator) -> None:
    if "frames" in clip:
        frames = degrade(clip["frames"], rng)
        if rng.random() < CUT_OUT:
            frames = cut_out(frames, clip.get("points"), rng)
        clip["frames"][:] = frames


def view_generator(view: int, key: str) -> np.random.Generator:
    """Where a stored view of a clip is drawn from, the same in every trial and process.

    Args:
        view: number of the view, from 0.
        key: of the clip.
    """
    return np.random.default_rng([view, *key.encode()])
