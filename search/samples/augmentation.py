"""Augmentation: changes of a clip that keep its label, the same for all its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.video import degradation
from data_prep.video.grey import with_grey
from search.samples.degradation import cut_out, degrade
from search.samples.jitter import jitter

Strength: TypeAlias = Literal["light", "strong", "jittered"]
STRENGTHS: tuple[Strength, ...] = ("light", "strong", "jittered")

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
    """Change a clip in place: mirror it, and change its picture; grey follows colour.

    ``light`` changes contrast and brightness and adds noise. ``strong`` applies

    :func:`search.samples.degradation.degrade` and erases a region of some faces. ``jittered`` also
    shifts, turns and zooms the picture: :func:`search.samples.jitter.jitter`. All frames of a
    clip share the random choices, so that motion is unchanged; noise differs between frames, as it
    does in a camera. Flow is mirrored with the frames and otherwise unchanged; sound is never
    changed. The random choices do not depend on which arrays are given.

    Args:
        clip: Any of ``frames``, uint8 (T, H, W, 4), ``flow``, float (T - 1, h, w, 3) of u, v and
            strain, ``audio``, and ``points``, float (T, 5, 2), eyes, nose and mouth corners in
            pixels of the crop. Without points, a face of average position is assumed.
        rng: Source of the random choices.
        strength: One of :data:`STRENGTHS`.

    Raises:
        ValueError: The strength is unknown.
    """
    if strength not in STRENGTHS:
        raise ValueError(f"strength must be one of {', '.join(STRENGTHS)}; received {strength!r}")
    if rng.random() < 0.5:
        _mirror(clip)
    if strength == "light":
        _relight(clip, rng)
    else:
        _degrade(clip, rng)
    if strength == "jittered" and "frames" in clip:
        clip["frames"][:] = jitter(clip["frames"], rng)


def _mirror(clip: Mapping[str, npt.NDArray[Any]]) -> None:
    if "frames" in clip:
        frames = clip["frames"]
        frames[:] = cv2.flip(frames.reshape(-1, *frames.shape[2:]), 1).reshape(frames.shape)
    if "flow" in clip:
        clip["flow"][:] = clip["flow"][:, :, ::-1] * np.array([-1, 1, 1], clip["flow"].dtype)
    if "frames" in clip and "points" in clip:
        # The left eye becomes the right one, and so do the corners of the mouth.
        points = clip["points"]
        points[:] = points[:, [1, 0, 2, 4, 3]]
        points[..., 0] = clip["frames"].shape[2] - 1 - points[..., 0]


def _relight(clip: Mapping[str, npt.NDArray[Any]], rng: np.random.Generator) -> None:
    contrast = rng.uniform(1 - CONTRAST, 1 + CONTRAST)
    brightness = rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    noise = rng.uniform(0, NOISE)
    if "frames" in clip:
        matrix = degradation.colour_matrix(contrast=contrast, brightness=brightness)
        colour = degradation.recolour(degradation.extract_colours(clip["frames"]), matrix)
        clip["frames"][:] = with_grey(degradation.grain(colour, noise, rng))


def _degrade(clip: Mapping[str, npt.NDArray[Any]], rng: np.random.Generator) -> None:
    if "frames" in clip:
        frames = degrade(clip["frames"], rng)
        if rng.random() < CUT_OUT:
            frames = cut_out(frames, clip.get("points"), rng)
        clip["frames"][:] = frames


def view_generator(view: int, key: str) -> np.random.Generator:
    """Return the random generator of a stored view of a clip, the same in every trial and process.

    Args:
        view: Number of the view, from 0.
        key: Key of the clip.
    """
    return np.random.default_rng([view, *key.encode()])
