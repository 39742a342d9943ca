"""Pseudo-fakes: a real clip blended with a changed copy of itself.

Self-blended images (Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images", 2022),
made for clips. Whoever tells them from real clips has learned to see blending, the one trace that
all face swaps share. Pasting softens, and most pseudo-fakes show that beside their surroundings, as
face swaps do; how sharp a clip is as a whole tells nothing, since degradation draws it for real and
fake alike. Some are made as sharp as the clips they are made of.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.video import degradation as steps
from data_prep.video.grey import with_grey
from search.samples.face_regions import Points, complete_points, fill_outline, follow_face, outline
from search.samples.landmarks import crop_points
from search.samples.sharpness import blend, set_sharpness, sharpness, touched_region

__all__ = ["crop_points", "pseudo_fake"]

Frames = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

BLEND_ONLY = 0.05
BALANCED = 0.1
CHANGED_AGAIN = 0.3
HARD_EDGED = 0.5
JITTERED = 0.4
RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
SHIFT, SCALE = 0.03, 0.05
_REGIONS = {"face": 0.5, "inner": 0.25, "lower": 0.05, "eyes": 0.08, "mouth": 0.12}
_BORDERS = 0.008, 0.07
_SIZES = 0.7, 1.1
_HARD_BORDERS = 0.005, 0.03
_ELASTIC = 0.045
# How much sharper or softer a pseudo-fake may be than its clip: deviation of the log-ratio.
_SHARPNESS_SPREAD = 0.4
_LEAST_SHARE = 0.3


def pseudo_fake(
    frames: Frames, points: Points | None, rng: np.random.Generator
) -> tuple[Frames, npt.NDArray[np.float32]]:
    """A fake made of a real clip and nothing else.

    One of two copies is changed in colour and in sharpness, grain or compression, or neither is;
    one is moved by up to 3% of the crop and scaled by up to 5% along each axis, and laid on the
    other through a mask with a soft border. The mask is the whole face, its inner part, its lower
    half, the eyes or the mouth, of drawn size, bent elastically; it follows the points. In one of
    twenty the blending is all there is, and the copy is moved by whole pixels, so that no
    resampling shows. All is drawn once a clip; in two of five clips place, size and brightness of
    the blended part tremble a little from frame to frame, too.

    In one of ten detail is then strengthened or weakened, mostly in the blended part alone, until
    the inner face is as sharp as in the clip, times a factor drawn about 1 evenly to both sides.
    Where blending is all there is, it always is, and the factor is 1.

    Args:
        frames: uint8 (T, S, S, 4), red, green, blue and grey.
        points: float (T, 5, 2), eyes, nose and mouth corners in pixels of the crop: see
            :func:`crop_points`. Where they are missing, None or NaN, they are interpolated from
            other frames; where all are, the mask is made for the oval in which a crop shows a face.
        rng: where everything is drawn from.

    Returns:
        uint8 (T, S, S, 4), and float32 (T, S, S), 0..1: how much of the copy is in each pixel.

    Raises:
        ValueError: frames or points are of another shape or type.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 4:
        raise ValueError(
            f"frames must be uint8 (T, S, S, 4), received {frames.dtype} {frames.shape}"
        )
    count, size = frames.shape[:2]
    face, places = follow_face(complete_points(points, count, size))
    drawn = _draw(rng, count, size)
    mask = _mask(face, places, drawn, size, rng)
    real = steps.colours_of(frames)
    changed = real if drawn.blend_only else _changed(real, rng)
    under, over = (real, changed) if drawn.copy_is_changed else (changed, real)
    if not drawn.blend_only and rng.random() < CHANGED_AGAIN:
        over = _textured(over, rng)
    fake = _laid_on(under, over, mask, face, places, drawn)
    if not drawn.balanced:
        return with_grey(fake), mask
    wanted = sharpness(real) * drawn.sharper
    # A small part cannot make up for the whole.
    inside_alone = drawn.balanced_inside and _inner_share(mask) > _LEAST_SHARE
    balanced = set_sharpness(fake, wanted, mask if inside_alone else None)
    return with_grey(balanced), mask


@dataclasses.dataclass(frozen=True)
class _Draw:
    """What is drawn of a pseudo-fake.

    Attributes:
        blend_only: nothing but place differs between the copies.
        copy_is_changed: the copy laid on top is the changed one, not the one below.
        balanced: its sharpness is set.
        sharper: how many times as sharp as its clip the pseudo-fake is.
        balanced_inside: it is set in the blended part alone.
        fine: the copy is moved by cubic interpolation, else by linear.
        region: of the face, see :data:`search.samples.face_regions.REGIONS`.
        ratio: how much of the copy is blended in at most.
        border: deviation of the blur of the mask in pixels.
        shift: float64 (T, 2), x and y by which the copy is moved in each frame, pixels.
        scale: float64 (T, 2), and by which it is scaled about the face.
        light: float64 (T,), factor of its brightness.
        tremble: float64 (T, 2), by which the mask is moved, pixels.
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


def _draw(rng: np.random.Generator, count: int, size: int) -> _Draw:
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
    return _Draw(
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
    """At least one pixel along x, so that a copy is never laid on where it came from."""
    return np.where([True, False], np.sign(shifts + 1e-9) * np.maximum(np.abs(shifts), 1), shifts)


def _mask(
    face: Floats, places: Floats, drawn: _Draw, size: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """The mask in every frame, float32 (T, S, S)."""
    # At half the size it takes a quarter of the time and, being soft, looks the same.
    half = -(-size // 2)
    coarse = rng.standard_normal((5, 5, 2)).astype(np.float32)
    bent = cv2.resize(coarse, (half, half), interpolation=cv2.INTER_CUBIC)
    bent *= np.float32(_ELASTIC * half * rng.uniform(0.3, 1))
    y, x = np.mgrid[:half, :half].astype(np.float32)
    corners = outline(drawn.region, (face + 0.5) / 2 - 0.5)
    # Wider or narrower, taller or shorter, upward and downward apart.
    across, above, below = rng.uniform(*_SIZES, 3)
    away = corners - corners.mean(axis=0)
    away *= np.stack([np.full(len(away), across), np.where(away[:, 1] < 0, above, below)], axis=1)
    sharp = fill_outline(corners.mean(axis=0) + away, half)
    sharp = cv2.remap(sharp, x + bent[..., 0], y + bent[..., 1], cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(sharp, (0, 0), drawn.border / 2)
    if rng.random() < HARD_EDGED:
        soft = np.clip(2 * soft / max(float(soft.max()), 1e-3) - 1, 0, 1)
        soft = cv2.GaussianBlur(soft, (0, 0), half * rng.uniform(*_HARD_BORDERS))
    soft *= np.float32(drawn.ratio / max(float(soft.max()), 1e-3))
    matrices = places.copy()
    matrices[..., 2] += drawn.tremble + places[..., :2].sum(axis=-1) / 2
    matrices[..., :2] *= 2
    mask = np.empty((len(places), size, size), np.float32)
    for out, matrix in zip(mask, matrices, strict=True):
        cv2.warpAffine(soft, matrix, (size, size), dst=out)
    return mask


def _changed(real: Frames, rng: np.random.Generator) -> Frames:
    """A copy of other colours and of another texture."""
    changed = real
    if rng.random() < 0.8:
        matrix = steps.colour_matrix(
            hue=rng.uniform(-10, 10),
            saturation=rng.uniform(0.75, 1.25),
            contrast=rng.uniform(0.8, 1.2),
            brightness=rng.uniform(-15, 15),
            shift=tuple(rng.uniform(-18, 18, 3)),
        )
        changed = steps.recolour(changed, matrix)
    return _textured(changed, rng)


def _textured(real: Frames, rng: np.random.Generator) -> Frames:
    """A copy softer, sharper, noisier, of less resolution or pressed, or as it was."""
    changed = real
    fine = real.shape[1] / 128
    match rng.choice(6, p=[0.2, 0.2, 0.15, 0.2, 0.05, 0.2]):
        case 0:
            changed = steps.soften(changed, fine * rng.uniform(0.4, 1.2))
        case 1:
            changed = steps.sharpen(changed, rng.uniform(0.3, 1.5))
        case 2:
            changed = steps.grain(changed, rng.uniform(1, 4), rng)
        case 3:
            side = round(real.shape[1] * rng.uniform(0.35, 0.8))
            smaller = steps.resized(changed, side)
            changed = steps.resized(smaller, real.shape[1], cv2.INTER_CUBIC)
        case 4:
            changed = steps.jpeg(changed, int(rng.integers(30, 90)))
    return changed


def _laid_on(
    under: Frames,
    over: Frames,
    mask: npt.NDArray[np.float32],
    face: Floats,
    places: Floats,
    drawn: _Draw,
) -> Frames:
    """One copy moved and scaled about the face, in the light of each frame, on the other."""
    rows, columns = part = touched_region(mask)
    corner = columns.start, rows.start
    extent = columns.stop - columns.start, rows.stop - rows.start
    how = cv2.INTER_CUBIC if drawn.fine else cv2.INTER_LINEAR
    centre = face.mean(axis=0)
    laid = under.copy()
    for at, frame in enumerate(over):
        middle = places[at][:, :2] @ centre + places[at][:, 2]
        offset = middle * (1 - drawn.scale[at]) + drawn.shift[at] - corner
        matrix = np.concatenate([np.diag(drawn.scale[at]), offset[:, None]], axis=1)
        moved = cv2.warpAffine(frame, matrix, extent, flags=how, borderMode=cv2.BORDER_REFLECT_101)
        if drawn.light[at] != 1:
            moved = cv2.convertScaleAbs(moved, alpha=drawn.light[at])
        laid[at][part] = blend(under[at][part], moved, mask[at][part])
    return laid


def _inner_share(mask: npt.NDArray[np.float32]) -> float:
    """How much of the inner face was blended in, 0..1."""
    inner = slice(mask.shape[1] // 4, mask.shape[1] - mask.shape[1] // 4)
    return float(mask[:, inner, inner].mean())
