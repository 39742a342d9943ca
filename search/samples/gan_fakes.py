"""Fakes whose face a GAN has made: walks through its latent space laid over real clips.

Free of TensorFlow: the walks are pictures, made once by :mod:`search.gan.latent_walks`.
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
# How much sharper or softer a fake may be than its clip: deviation of the log-ratio.
_SHARPNESS_SPREAD = 0.4


def gan_fake(
    frames: Frames, points: Points | None, walk: npt.NDArray[np.generic], rng: np.random.Generator
) -> tuple[Frames, Reals]:
    """Lay generated faces over the face of a real clip.

    The generated face follows the real one's points from frame to frame. Its colours take the mean
    and the contrast of those that it covers, over all frames at once, so that the light stays
    steady. A generated face is small: what is finer than its pixels is the real face's own, and is
    strengthened or weakened until the fake is as sharp as the clip, times a factor drawn about 1,
    so that sharpness does not tell. What is drawn - the region, its border, the sharpness - holds
    for the whole clip.

    Args:
        frames: of the real clip, uint8 (T, S, S, 4).
        points: eyes, nose, mouth corners in crop pixels, (T, 5, 2); where they are missing, see
            :func:`search.samples.face_regions.complete_points`.
        walk: generated faces, R, G, B in 0..255, (T, h, h, 3).
        rng: where everything is drawn from.

    Returns:
        The fake, uint8 (T, S, S, 4), and what of it is generated, float32 (T, S, S) in 0..1.

    Raises:
        ValueError: the walk has not one face a frame.
    """
    if len(walk) != len(frames):
        raise ValueError(f"{len(frames)} frames need as many faces. Received: {len(walk)}")
    size, side = frames.shape[1], walk.shape[1]
    real = frames[..., :3].astype(np.float32)
    places = complete_points(points, len(frames), size)
    region = _REGIONS[rng.integers(len(_REGIONS))]
    border, factor = rng.uniform(*_BORDERS), np.exp(_SHARPNESS_SPREAD * rng.standard_normal())

    mask = _masks(region, places, size, border)
    made = _coloured_as(_moved(walk, places, size), real, mask) + _detail(real, size / side)
    fake = np.clip(np.rint(real + mask[..., None] * (made - real)), 0, 255).astype(np.uint8)
    fake = set_sharpness(fake, factor * sharpness(frames), mask)
    return with_grey(np.ascontiguousarray(fake)), mask


def _masks(region: str, places: npt.NDArray[np.float64], size: int, border: float) -> Reals:
    """One soft region of the face, moved along: float32 (T, S, S)."""
    middle, moves = follow_face(places)
    mask = cv2.GaussianBlur(fill_outline(outline(region, middle), size), (0, 0), border * size)
    moved = [cv2.warpAffine(mask, move, (size, size)) for move in moves]
    return np.clip(np.stack(moved), 0, 1).astype(np.float32)


def _moved(walk: npt.NDArray[np.generic], places: npt.NDArray[np.float64], size: int) -> Reals:
    """Generated faces where the real ones are: float32 (T, S, S, 3).

    A GAN has faces where the crops it learned from have them. The turn, scale and shift from there
    to a frame's points are least squares; with points as complex numbers they are z -> a z + b.
    """
    here, there = (STANDARD * walk.shape[1]) @ [1, 1j], places @ np.array([1, 1j])
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
    """Colours with the mean of the real ones under the mask, by channel, and their contrast.

    One factor for all channels, within bounds: each its own would make stains of what a generator
    leaves in the channel that varies least.
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
    """What is finer than a pixel of the generated face."""
    return real - np.stack([cv2.GaussianBlur(frame, (0, 0), max(0.5, scale / 2)) for frame in real])
