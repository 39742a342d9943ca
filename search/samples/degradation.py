"""Degradation that any real or fake video may have, so that it cannot serve as a shortcut."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.video import degradation
from data_prep.video.grey import with_grey
from search.samples.face_regions import Points, complete_points, fill_outline, follow_face, outline

Frames = npt.NDArray[np.uint8]

COLOUR, GREYISH, FOCUS, SMALLER, GRAIN, COMPRESSION = 0.7, 0.15, 0.4, 0.5, 0.3, 0.5
_LEAST_FACTOR = 0.25
_SMALLEST_SIDE = 16
_QUALITIES = 30, 95
_RATE_FACTORS = 20.0, 38.0
# Share of compressed clips that JPEG compresses; H.264 compresses the others.
_BY_JPEG = 0.6
_UP = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)
_ERASED = ("eyes", "nose", "mouth", "lower", "left", "right")


def degrade(frames: Frames, rng: np.random.Generator) -> Frames:
    """Return frames as another camera, codec and picture size would show them.

    The steps have their natural order. First come colour, brightness, contrast and gamma, sometimes
    with less colour. Then follow a lens out of focus or a sharpening filter, a smaller picture,
    noise, and compression of that picture by JPEG or H.264. Enlargement to the size of the crop is
    the last step. Each step has its own probability, and some clips have none. All frames of a clip
    share the random choices; noise differs between frames, as it does in a camera.

    Args:
        frames: uint8 (T, S, S, 4), red, green, blue and grey; not changed.
        rng: Source of the random choices.

    Returns:
        uint8 (T, S, S, 4); grey follows colour.
    """
    size = frames.shape[1]
    changed = degradation.extract_colours(frames)
    if rng.random() < COLOUR:
        matrix = degradation.colour_matrix(
            hue=rng.uniform(-8, 8),
            saturation=rng.uniform(0.0, 0.5) if rng.random() < GREYISH else rng.uniform(0.7, 1.3),
            contrast=rng.uniform(0.75, 1.25),
            brightness=rng.uniform(-25, 25),
            shift=tuple(rng.uniform(-8, 8, 3)),
        )
        changed = degradation.recolour(changed, matrix, float(np.exp(rng.uniform(-0.3, 0.3))))
    fine = size / 128
    if rng.random() < FOCUS:
        if rng.random() < 0.5:
            changed = degradation.soften(changed, fine * rng.uniform(0.4, 1.6))
        else:
            changed = degradation.sharpen(changed, rng.uniform(0.3, 1.5))
    side = size
    if rng.random() < SMALLER:
        # H.264 halves the colour planes, so the side is even.
        factor = 1 - (1 - _LEAST_FACTOR) * rng.random() ** 2
        side = max(_SMALLEST_SIDE, 2 * round(size * factor / 2))
        # Below half the size, linear interpolation would skip pixels.
        how = cv2.INTER_LINEAR if 2 * side >= size else cv2.INTER_AREA
        changed = degradation.resize(changed, side, how)
    if rng.random() < GRAIN:
        changed = degradation.grain(changed, rng.uniform(1, 7), rng)
    if rng.random() < COMPRESSION:
        changed = _compressed(changed, min(side / size, 1.0), rng)
    if side != size:
        changed = degradation.resize(changed, size, _UP[rng.integers(len(_UP))])
    return with_grey(changed)


def _compressed(frames: Frames, scale: float, rng: np.random.Generator) -> Frames:
    """Return frames compressed less strongly the smaller they are: a face must remain visible."""
    # x264 needs pictures with an even side.
    if rng.random() < _BY_JPEG or frames.shape[1] % 2:
        least, best = _QUALITIES
        return degradation.jpeg(frames, round(best - scale * rng.uniform(0, best - least)))
    least_loss, most_loss = _RATE_FACTORS
    return degradation.h264(frames, least_loss + scale * rng.uniform(0, most_loss - least_loss))


def cut_out(frames: Frames, points: Points | None, rng: np.random.Generator) -> Frames:
    """Return frames with one region of the face erased: eyes, nose, mouth or a half.

    A detector must not rely on one region alone (after DeVries and Taylor, "Improved Regularization
    of Convolutional Neural Networks with Cutout", 2017). The hole follows the face and is filled
    with one colour or with noise, the same in every frame.

    Args:
        frames: uint8 (T, S, S, 4); not changed.
        points: Float (T, 5, 2) in pixels of the crop, or None; see
            :func:`search.samples.face_regions.complete_points`.
        rng: Source of region and filling.

    Returns:
        uint8 (T, S, S, 4); grey follows colour.
    """
    count, size = frames.shape[:2]
    face, moves = follow_face(complete_points(points, count, size))
    corners = outline(str(rng.choice(_ERASED)), face)
    if rng.random() < 0.5:
        filling = np.broadcast_to(rng.integers(0, 256, 3, np.uint8), (size, size, 3))
    else:
        filling = rng.integers(0, 256, (size, size, 3), np.uint8)
    stored = with_grey(np.ascontiguousarray(filling))
    erased = frames.copy()
    for frame, matrix in zip(erased, moves, strict=True):
        hole = fill_outline(corners @ matrix[:, :2].T + matrix[:, 2], size)
        cv2.copyTo(stored, (hole > 0.5).astype(np.uint8), frame)
    return erased
