"""Pseudo-fakes: a real clip blended with a changed copy of itself.

Self-blended images (Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images", 2022),
made for clips. A detector that separates them from real clips has learned to see blending, the one
trace that all face swaps share. Pasting softens, and most pseudo-fakes are softer than their
surroundings, as face swaps are. The sharpness of a whole clip is no cue, since degradation changes
it for real and fake clips alike. Some pseudo-fakes get the sharpness of their clips.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.video import degradation
from data_prep.video.grey import with_grey
from search.samples.face_regions import (
    Points,
    complete_points,
    fill_outline,
    follow_face,
    mesh_outline,
    outline,
)
from search.samples.landmarks import crop_points
from search.samples.sharpness import blend, set_sharpness, sharpness, touched_region

__all__ = ["crop_points", "pseudo_fake"]

Frames = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

BLEND_ONLY = 0.05
BALANCED = 0.1
CHANGED_AGAIN = 0.3
HARD_EDGED = 0.5
MESHED = 0.5
JITTERED = 0.4
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
SHIFT, SCALE = 0.03, 0.05
_REGIONS = {"face": 0.5, "inner": 0.25, "lower": 0.05, "eyes": 0.08, "mouth": 0.12}
_BORDERS = 0.008, 0.07
_SIZES = 0.7, 1.1
_HARD_BORDERS = 0.005, 0.03
_ELASTIC = 0.045
# Deviation of the logarithm of the sharpness of a pseudo-fake, relative to its clip.
_SHARPNESS_SPREAD = 0.4
_LEAST_SHARE = 0.3


def pseudo_fake(
    frames: Frames,
    points: Points | None,
    rng: np.random.Generator,
    mesh: Points | None = None,
) -> tuple[Frames, npt.NDArray[np.float32]]:
    """Make a fake of a real clip alone.

    Either one of two copies is changed in colour and in sharpness, grain or compression, or neither
    is. One is moved by up to 3% of the crop and scaled by up to 5% along each axis. It is blended
    over the other through a mask with a soft border. The mask is the whole face, its inner part,
    its lower half, the eyes or the mouth: an oval, or in every other clip with a mesh, the hull of
    its points (Li et al., "Face X-ray", 2020). It has a random size, is bent elastically and
    follows the points. In one of twenty, blending is the only change: the copy is moved by whole
    pixels, without resampling. All random choices hold for the whole clip; in two of five clips
    position, size and brightness of the blended part also tremble a little from frame to frame.

    In one of ten, detail is then strengthened or weakened, mostly in the blended part alone, until
    the inner face has the sharpness of the clip, times a random factor around 1. If blending is the
    only change, this is always done, and the factor is 1.

    Args:
        frames: uint8 (T, S, S, 4), red, green, blue and grey.
        points: Float (T, 5, 2), eyes, nose and mouth corners in pixels of the crop: see
            :func:`crop_points`. Missing ones, None or NaN, are interpolated from other frames; if
            all are missing, the mask fits the average position of a face in a crop.
        rng: Source of all random choices.
        mesh: Float (T, 468, 2), dense landmarks in pixels of the crop, NaN where there are none.

    Returns:
        uint8 (T, S, S, 4), and float32 (T, S, S), 0..1: share of the copy in each pixel.

    Raises:
        ValueError: Frames or points have another shape or type.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 4:
        raise ValueError(
            f"frames must be uint8 (T, S, S, 4), received {frames.dtype} {frames.shape}"
        )
    count, size = frames.shape[:2]
    face, moves = follow_face(complete_points(points, count, size))
    chosen = _choose(rng, count, size)
    corners = None
    if mesh is not None and rng.random() < MESHED:
        corners = mesh_outline(chosen.region, mesh, moves)
    if corners is None:
        corners = outline(chosen.region, face)
    mask = _mask(corners, moves, chosen, size, rng)
    real = degradation.extract_colours(frames)
    changed = real if chosen.blend_only else _changed(real, rng)
    under, over = (real, changed) if chosen.copy_is_changed else (changed, real)
    if not chosen.blend_only and rng.random() < CHANGED_AGAIN:
        over = _textured(over, rng)
    fake = _laid_on(under, over, mask, face, moves, chosen)
    if not chosen.balanced:
        return with_grey(fake), mask
    wanted = sharpness(real) * chosen.sharper
    # A small part cannot balance the sharpness of the whole face.
    inside_alone = chosen.balanced_inside and _inner_share(mask) > _LEAST_SHARE
    balanced = set_sharpness(fake, wanted, mask if inside_alone else None)
    return with_grey(balanced), mask


@dataclasses.dataclass(frozen=True)
class _Choices:
    """Random choices of a pseudo-fake.

    Attributes:
        blend_only: The copies differ in position alone.
        copy_is_changed: The upper copy is the changed one, not the lower.
        balanced: The sharpness is set.
        sharper: Wanted sharpness relative to the clip.
        balanced_inside: The sharpness is set in the blended part alone.
        fine: The copy is moved by cubic interpolation, else by linear.
        region: Region of the face, see :data:`search.samples.face_regions.REGIONS`.
        ratio: Largest share of the copy in a pixel.
        border: Deviation of the blur of the mask in pixels.
        shift: float64 (T, 2), x and y by which the copy is moved in each frame, pixels.
        scale: float64 (T, 2), scale of the copy around the face.
        light: float64 (T,), factor of its brightness.
        tremble: float64 (T, 2), movement of the mask, pixels.
    """

    blend_only: bool
    copy_is_changed: bool
    balanced: bool
    sharper: float
    balanced_inside: bool
    fine: bool
    region: str
    ratio: float
    border: float
    shift: Floats
    scale: Floats
    light: Floats
    tremble: Floats


def _choose(rng: np.random.Generator, count: int, size: int) -> _Choices:
    blend_only = bool(rng.random() < BLEND_ONLY)
    jitter = rng.uniform(0.3, 1.0) if rng.random() < JITTERED else 0.0
    shift = rng.uniform(-SHIFT, SHIFT, 2) * size
    scale = rng.uniform(1 - SCALE, 1 + SCALE, 2)
    tremors = jitter * rng.standard_normal((4, count, 2))
    shifts = shift + 0.008 * size * tremors[0]
    scales = scale * (1 + 0.008 * tremors[1])
    if blend_only:
        shifts, scales = np.round(_away_from_zero(shifts)), np.ones_like(scales)
    spread = 0.0 if blend_only else _SHARPNESS_SPREAD
    return _Choices(
        blend_only=blend_only,
        copy_is_changed=bool(rng.random() < 0.5),
        balanced=blend_only or bool(rng.random() < BALANCED),
        sharper=float(np.exp(spread * rng.standard_normal())),
        balanced_inside=bool(rng.random() < 0.8),
        fine=bool(rng.random() < 0.3),
        region=str(rng.choice(list(_REGIONS), p=list(_REGIONS.values()))),
        ratio=float(rng.choice(RATIOS)),
        border=size * float(np.exp(rng.uniform(*np.log(_BORDERS)))),
        shift=shifts,
        scale=scales,
        light=1 + 0.015 * tremors[2][:, 0],
        tremble=0.006 * size * tremors[3],
    )


def _away_from_zero(shifts: Floats) -> Floats:
    """Return shifts of at least one pixel along x, so that a copy never covers its origin."""
    return np.where([True, False], np.sign(shifts + 1e-9) * np.maximum(np.abs(shifts), 1), shifts)


def _mask(
    corners: Floats, moves: Floats, chosen: _Choices, size: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return the mask in every frame, float32 (T, S, S)."""
    # At half the size this takes a quarter of the time; a soft mask looks the same.
    half = -(-size // 2)
    coarse = rng.standard_normal((5, 5, 2)).astype(np.float32)
    bent = cv2.resize(coarse, (half, half), interpolation=cv2.INTER_CUBIC)
    bent *= np.float32(_ELASTIC * half * rng.uniform(0.3, 1))
    y, x = np.mgrid[:half, :half].astype(np.float32)
    corners = (corners + 0.5) / 2 - 0.5
    # Wider or narrower, and taller or shorter, above and below separately.
    across, above, below = rng.uniform(*_SIZES, 3)
    away = corners - corners.mean(axis=0)
    away *= np.stack([np.full(len(away), across), np.where(away[:, 1] < 0, above, below)], axis=1)
    sharp = fill_outline(corners.mean(axis=0) + away, half)
    sharp = cv2.remap(sharp, x + bent[..., 0], y + bent[..., 1], cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(sharp, (0, 0), chosen.border / 2)
    if rng.random() < HARD_EDGED:
        soft = np.clip(2 * soft / max(float(soft.max()), 1e-3) - 1, 0, 1)
        soft = cv2.GaussianBlur(soft, (0, 0), half * rng.uniform(*_HARD_BORDERS))
    soft *= np.float32(chosen.ratio / max(float(soft.max()), 1e-3))
    matrices = moves.copy()
    matrices[..., 2] += chosen.tremble + moves[..., :2].sum(axis=-1) / 2
    matrices[..., :2] *= 2
    mask = np.empty((len(moves), size, size), np.float32)
    for out, matrix in zip(mask, matrices, strict=True):
        cv2.warpAffine(soft, matrix, (size, size), dst=out)
    return mask


def _changed(real: Frames, rng: np.random.Generator) -> Frames:
    """Return a copy with other colours and another texture."""
    changed = real
    if rng.random() < 0.8:
        matrix = degradation.colour_matrix(
            hue=rng.uniform(-10, 10),
            saturation=rng.uniform(0.75, 1.25),
            contrast=rng.uniform(0.8, 1.2),
            brightness=rng.uniform(-15, 15),
            shift=tuple(rng.uniform(-18, 18, 3)),
        )
        changed = degradation.recolour(changed, matrix)
    return _textured(changed, rng)


def _textured(real: Frames, rng: np.random.Generator) -> Frames:
    """Return a copy that is softer, sharper, noisier, coarser or compressed, or unchanged."""
    changed = real
    fine = real.shape[1] / 128
    match rng.choice(6, p=[0.2, 0.2, 0.15, 0.2, 0.05, 0.2]):
        case 0:
            changed = degradation.soften(changed, fine * rng.uniform(0.4, 1.2))
        case 1:
            changed = degradation.sharpen(changed, rng.uniform(0.3, 1.5))
        case 2:
            changed = degradation.grain(changed, rng.uniform(1, 4), rng)
        case 3:
            side = round(real.shape[1] * rng.uniform(0.35, 0.8))
            smaller = degradation.resize(changed, side)
            changed = degradation.resize(smaller, real.shape[1], cv2.INTER_CUBIC)
        case 4:
            changed = degradation.jpeg(changed, int(rng.integers(30, 90)))
    return changed


def _laid_on(
    under: Frames,
    over: Frames,
    mask: npt.NDArray[np.float32],
    face: Floats,
    moves: Floats,
    chosen: _Choices,
) -> Frames:
    """Return one copy, moved and scaled around the face, blended over the other in each frame."""
    rows, columns = part = touched_region(mask)
    corner = columns.start, rows.start
    extent = columns.stop - columns.start, rows.stop - rows.start
    how = cv2.INTER_CUBIC if chosen.fine else cv2.INTER_LINEAR
    centre = face.mean(axis=0)
    laid = under.copy()
    for number, frame in enumerate(over):
        middle = moves[number][:, :2] @ centre + moves[number][:, 2]
        offset = middle * (1 - chosen.scale[number]) + chosen.shift[number] - corner
        matrix = np.concatenate([np.diag(chosen.scale[number]), offset[:, None]], axis=1)
        moved = cv2.warpAffine(frame, matrix, extent, flags=how, borderMode=cv2.BORDER_REFLECT_101)
        if chosen.light[number] != 1:
            moved = cv2.convertScaleAbs(moved, alpha=chosen.light[number])
        laid[number][part] = blend(under[number][part], moved, mask[number][part])
    return laid


def _inner_share(mask: npt.NDArray[np.float32]) -> float:
    """Return how much of the inner face was blended in, 0..1."""
    inner = slice(mask.shape[1] // 4, mask.shape[1] - mask.shape[1] // 4)
    return float(mask[:, inner, inner].mean())
