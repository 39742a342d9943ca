"""GAN fakes: walks through the latent space of a GAN, blended over the faces of real clips.

This module needs no TensorFlow: :mod:`search.gan.latent_walks` makes the walks once, as pictures.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.video.grey import with_grey
from search.samples.face_regions import (
    STANDARD,
    Points,
    complete_points,
    fill_outline,
    follow_face,
    outline,
)
from search.samples.sharpness import set_sharpness, sharpness

Frames = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]

_REGIONS = ("face", "inner")
_BORDERS = 0.02, 0.07
_CONTRAST = 0.5, 1.5
# Deviation of the logarithm of the sharpness of a fake, relative to its clip.
_SHARPNESS_SPREAD = 0.4


def gan_fake(
    frames: Frames, points: Points | None, walk: npt.NDArray[np.generic], rng: np.random.Generator
) -> tuple[Frames, Reals]:
    """Blend generated faces over the face of a real clip.

    The generated face follows the points of the real one from frame to frame. Its colours take mean
    and contrast of the covered region, over all frames at once, so that the light stays steady. A
    generated face is small: detail finer than its pixels comes from the real face. It is
    strengthened or weakened until the fake has the sharpness of the clip, times a random factor
    around 1. So sharpness cannot serve as a shortcut. Region, border and sharpness are the same in
    all frames.

    Args:
        frames: Real clip, uint8 (T, S, S, 4).
        points: Eyes, nose, mouth corners in crop pixels, (T, 5, 2); for missing ones see
            :func:`search.samples.face_regions.complete_points`.
        walk: Generated faces, R, G, B in 0..255, (T, h, h, 3).
        rng: Source of all random choices.

    Returns:
        The fake, uint8 (T, S, S, 4), and the share of the generated face in each pixel, float32 (T,
        S, S) in 0..1.

    Raises:
        ValueError: The walk has not one face for each frame.
    """
    if len(walk) != len(frames):
        raise ValueError(f"{len(frames)} frames need as many faces. Received: {len(walk)}")
    size, side = frames.shape[1], walk.shape[1]
    real = frames[..., :3].astype(np.float32)
    complete = complete_points(points, len(frames), size)
    region = _REGIONS[rng.integers(len(_REGIONS))]
    border, factor = rng.uniform(*_BORDERS), np.exp(_SHARPNESS_SPREAD * rng.standard_normal())

    mask = _masks(region, complete, size, border)
    made = _coloured_as(_moved(walk, complete, size), real, mask) + _detail(real, size / side)
    fake = np.clip(np.rint(real + mask[..., None] * (made - real)), 0, 255).astype(np.uint8)
    fake = set_sharpness(fake, factor * sharpness(frames), mask)
    return with_grey(np.ascontiguousarray(fake)), mask


def _masks(region: str, points: npt.NDArray[np.float64], size: int, border: float) -> Reals:
    """Return one soft region of the face in every frame: float32 (T, S, S)."""
    middle, moves = follow_face(points)
    mask = cv2.GaussianBlur(fill_outline(outline(region, middle), size), (0, 0), border * size)
    moved = [cv2.warpAffine(mask, move, (size, size)) for move in moves]
    return np.clip(np.stack(moved), 0, 1).astype(np.float32)


def _moved(walk: npt.NDArray[np.generic], points: npt.NDArray[np.float64], size: int) -> Reals:
    """Return generated faces at the positions of the real ones: float32 (T, S, S, 3).

    A GAN places faces where its training crops have them. Rotation, scale and shift from there to
    the points of a frame are least squares. With complex numbers as points they are z -> a z + b.
    """
    here, there = (STANDARD * walk.shape[1]) @ [1, 1j], points @ np.array([1, 1j])
    around = here - here.mean()
    turns = there @ around.conj() / np.square(np.abs(around)).sum()
    shifts = there.mean(axis=1) - turns * here.mean()
    moved = np.empty((len(walk), size, size, 3), np.float32)
    for out, face, turn, shift in zip(moved, walk, turns, shifts, strict=True):
        move = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
        out[:] = cv2.warpAffine(
            np.ascontiguousarray(face, np.float32),
            move,
            (size, size),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return moved


def _coloured_as(made: Reals, real: Reals, mask: Reals) -> Reals:
    """Return generated faces with the mean colour and the contrast of the real ones under the mask.

    All channels share one bounded factor: separate factors would amplify noise of the generator in
    the channel that varies least.
    """
    weights = mask[..., None] / max(float(mask.sum()), 1e-6)
    means = [(weights * x).sum(axis=(0, 1, 2)) for x in (made, real)]
    spreads = [
        math.sqrt((weights * np.square(x - mean)).sum())
        for x, mean in zip((made, real), means, strict=True)
    ]
    contrast = float(np.clip(spreads[1] / max(spreads[0], 1.0), *_CONTRAST))
    return np.asarray((made - means[0]) * np.float32(contrast) + means[1], np.float32)


def _detail(real: Reals, scale: float) -> Reals:
    """Return the detail that is finer than a pixel of the generated face."""
    return real - np.stack([cv2.GaussianBlur(frame, (0, 0), max(0.5, scale / 2)) for frame in real])
