"""What happens to any video after it was made, to real and fake alike, so that it is no label."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.video import degradation as steps
from data_prep.video.grey import with_grey
from search.samples.face_regions import Points, complete_points, fill_outline, follow_face, outline

Frames = npt.NDArray[np.uint8]

COLOUR, GREYISH, FOCUS, SMALLER, GRAIN, COMPRESSION = 0.7, 0.15, 0.4, 0.5, 0.3, 0.5
_LEAST_FACTOR = 0.25
_SMALLEST_SIDE = 16
_QUALITIES = 30, 95
_RATE_FACTORS = 20.0, 38.0
# How the compressed are shared between JPEG and H.264.
_BY_JPEG = 0.6
_UP = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)
_ERASED = ("eyes", "nose", "mouth", "lower", "left", "right")


def degrade(frames: Frames, rng: np.random.Generator) -> Frames:
    """Frames as another camera, codec and size of picture would show them.

    In the order in which it happens to a video: colour, brightness, contrast and gamma, with less
    colour now and then; a lens out of focus or a filter that sharpens; a smaller picture, noise,
    and compression of that picture, by JPEG or by H.264; enlarged to the size of the crop again.
    Each with a probability of its own, some clips with none. One draw a clip: its frames share it.
    Noise is drawn anew for each frame, as a camera does.

    Args:
        frames: uint8 (T, S, S, 4), red, green, blue and grey; not changed.
        rng: where the changes are drawn from.

    Returns:
        uint8 (T, S, S, 4); grey follows colour.
    """
    size = frames.shape[1]
    changed = steps.colours_of(frames)
    if rng.random() < COLOUR:
        matrix = steps.colour_matrix(
            hue=rng.uniform(-8, 8),
            saturation=rng.uniform(0.0, 0.5) if rng.random() < GREYISH else rng.uniform(0.7, 1.3),
            contrast=rng.uniform(0.75, 1.25),
            brightness=rng.uniform(-25, 25),
            shift=tuple(rng.uniform(-8, 8, 3)),
        )
        changed = steps.recolour(changed, matrix, float(np.exp(rng.uniform(-0.3, 0.3))))
    fine = size / 128
    if rng.random() < FOCUS:
        if rng.random() < 0.5:
            changed = steps.soften(changed, fine * rng.uniform(0.4, 1.6))
        else:
            changed = steps.sharpen(changed, rng.uniform(0.3, 1.5))
    side = size
    if rng.random() < SMALLER:
        # H.264 halves colour: an even side.
        factor = 1 - (1 - _LEAST_FACTOR) * rng.random() ** 2
        side = max(_SMALLEST_SIDE, 2 * round(size * factor / 2))
        # Below half the size, pixels in between would be skipped.
        how = cv2.INTER_LINEAR if 2 * side >= size else cv2.INTER_AREA
        changed = steps.resized(changed, side, how)
    if rng.random() < GRAIN:
        changed = steps.grain(changed, rng.uniform(1, 7), rng)
    if rng.random() < COMPRESSION:
        changed = _compressed(changed, min(side / size, 1.0), rng)
    if side != size:
        changed = steps.resized(changed, size, _UP[rng.integers(len(_UP))])
    return with_grey(changed)


def _compressed(frames: Frames, scale: float, rng: np.random.Generator) -> Frames:
    """A small picture of a face is pressed less hard: it would not be known again."""
    # x264 takes pictures of an even side.
    if rng.random() < _BY_JPEG or frames.shape[1] % 2:
        least, best = _QUALITIES
        return steps.jpeg(frames, round(best - scale * rng.uniform(0, best - least)))
    least_loss, most_loss = _RATE_FACTORS
    return steps.h264(frames, least_loss + scale * rng.uniform(0, most_loss - least_loss))


def cut_out(frames: Frames, points: Points | None, rng: np.random.Generator) -> Frames:
    """Frames with one part of the face erased: eyes, nose, mouth or a half.

    A detector shall not rest on one part alone (after DeVries and Taylor, "Improved Regularization
    of Convolutional Neural Networks with Cutout", 2017). The hole follows the face and is filled
    with one colour or with noise, the same in every frame.

    Args:
        frames: uint8 (T, S, S, 4); not changed.
        points: float (T, 5, 2) in pixels of the crop, or None; see
            :func:`search.samples.face_regions.complete_points`.
        rng: where region and filling are drawn from.

    Returns:
        uint8 (T, S, S, 4); grey follows colour.
    """
    count, size = frames.shape[:2]
    face, places = follow_face(complete_points(points, count, size))
    corners = outline(str(rng.choice(_ERASED)), face)
    if rng.random() < 0.5:
        filling = np.broadcast_to(rng.integers(0, 256, 3, np.uint8), (size, size, 3))
    else:
        filling = rng.integers(0, 256, (size, size, 3), np.uint8)
    stored = with_grey(np.ascontiguousarray(filling))
    erased = frames.copy()
    for frame, matrix in zip(erased, places, strict=True):
        hole = fill_outline(corners @ matrix[:, :2].T + matrix[:, 2], size)
        cv2.copyTo(stored, (hole > 0.5).astype(np.uint8), frame)
    return erased
