"""Square crops that follow a face."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.faces.tracks import FaceTrack

ALIGNMENTS = ("box", "points")

# A face whose size varies less than this keeps one crop side for the whole clip.
_STEADY_SIZE = 1.25
# Smoothing may move a crop by no more than this fraction of its side.
_MAX_SMOOTHING = 0.05
# No crop shows more than this many long sides of its frame: the rest would be mirror images.
MOST_SHOWN = 2

# Where eyes, nose and mouth corners lie in an aligned square of side 1: the template of 112 px of
# Deng et al., "ArcFace", 2019.
TEMPLATE = (
    np.array(
        [
            [38.2946, 51.6963],
            [73.5318, 51.5014],
            [56.0252, 71.7366],
            [41.5493, 92.3655],
            [70.7299, 92.2041],
        ]
    )
    / 112
)
# Landmarks belong to their box when the square they ask for is not further from its size than
# this factor, and its centre not further from its centre than its side.
_MAX_MISFIT = 3.0


def crop_track(
    frames: Sequence[npt.NDArray[np.uint8]],
    track: FaceTrack,
    *,
    size: int,
    margin: float = 1.3,
    align: str = "box",
) -> npt.NDArray[np.uint8]:
    """Cut the face of a track out of every frame.

    ``box`` cuts the squares of :func:`crop_boxes`. ``points`` turns, scales and shifts every frame
    so that eyes, nose and mouth corners come closest to fixed positions (least squares: Umeyama,
    1991). Its landmarks are smoothed like the boxes. A frame whose landmarks do not fit their box
    is cut as by ``box``.

    Args:
        frames: T times uint8 (H, W, 3), of the size the track was found on.
        track: the face.
        size: side of the crops in pixels.
        margin: side of the square in sides of the face box.
        align: one of ``ALIGNMENTS``.

    Returns:
        uint8 (T, size, size, 3).

    Raises:
        UserError: the alignment is unknown.
    """
    if align not in ALIGNMENTS:
        raise UserError(f"align must be one of {', '.join(ALIGNMENTS)}; received {align!r}")
    squares = crop_boxes(track.boxes)
    if align == "box":
        crops = [crop(frame, box, size, margin) for frame, box in zip(frames, squares, strict=True)]
    else:
        points = smooth_points(track)
        crops = [
            _crop_points(frame, five, box, size, margin)
            for frame, five, box in zip(frames, points, squares, strict=True)
        ]
    return np.stack(crops)


def crop_boxes(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return square boxes for cropping a track, float32 (T, 4), from its face boxes (T, 4).

    The detector's boxes tremble by a few pixels. A face of steady size therefore gets the median
    side for the whole clip, so a change between frames comes from the face. If a face comes nearer
    or goes away, each frame keeps its own smoothed side. Centres are smoothed by at most a
    twentieth of the side: this removes the trembling and keeps a moving head in the middle of its
    crop.
    """
    wide = np.asarray(boxes, np.float64)
    sides = np.maximum(wide[:, 2] - wide[:, 0], wide[:, 3] - wide[:, 1])
    median = float(np.median(sides))
    if sides.max() <= _STEADY_SIZE * median and sides.min() >= median / _STEADY_SIZE:
        sides = np.full_like(sides, median)
    else:
        sides = _smooth(sides)
    centres = _smooth_a_little(_centres(wide), sides[:, None])
    half = sides[:, None] / 2
    return np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)


def smooth_points(track: FaceTrack) -> npt.NDArray[np.float64]:
    """Return smoothed landmarks of a track, float64 (T, 5, 2)."""
    boxes = np.asarray(track.boxes, np.float64)
    sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    landmarks = np.where(np.isfinite(track.landmarks), track.landmarks, np.nan)
    return _smooth_a_little(landmarks.astype(np.float64), sides[:, None, None])


def _smooth_a_little(
    values: npt.NDArray[np.float64], sides: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    limit = _MAX_SMOOTHING * np.maximum(sides, 0)
    return values + np.clip(_smooth(values) - values, -limit, limit)


def _smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Smooth with weights 1, 2, 1 along the first axis; the ends are repeated."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4


def crop(
    frame: npt.NDArray[np.uint8],
    box: npt.NDArray[np.floating],
    size: int,
    margin: float = 1.3,
) -> npt.NDArray[np.uint8]:
    """Cut a square around a face box and resize it.

    The square is ``margin`` times the larger side of the box (1.3 as in Rossler et al.,
    "FaceForensics++", 2019), at most two long sides of the frame, and has the box's centre. Outside
    the frame, the inside is mirrored.

    Args:
        frame: uint8 (H, W, 3).
        box: (4,), x0, y0, x1, y1 in pixels of the frame.
        size: side of the crop in pixels.
        margin: side of the square in sides of the face box.

    Returns:
        uint8 (size, size, 3).
    """
    height, width = frame.shape[:2]
    side = max(1, round(min(margin * measure_side(box), MOST_SHOWN * max(height, width))))
    # A centre outside the frame would leave nothing to show.
    x, y = np.clip(_centres(np.asarray(box, np.float64)), 0, [width - 1, height - 1])
    left, top = round(float(x) - side / 2), round(float(y) - side / 2)
    right, bottom = left + side, top + side
    inside = frame[max(top, 0) : max(bottom, 1), max(left, 0) : max(right, 1)]
    outside = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    if any(outside):
        inside = np.asarray(cv2.copyMakeBorder(inside, *outside, cv2.BORDER_REFLECT_101), np.uint8)
    how = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inside, (size, size), interpolation=how), np.uint8)


def _crop_points(
    frame: npt.NDArray[np.uint8],
    points: npt.NDArray[np.float64],
    box: npt.NDArray[np.float32],
    size: int,
    margin: float,
) -> npt.NDArray[np.uint8]:
    """Cut the square in which five points match the template, else the square of the box."""
    side = min(margin * measure_side(box), MOST_SHOWN * max(frame.shape[:2]))
    # Shrinking is left to the mean over whole pixels: sampling alone would alias.
    finer = max(1, math.ceil(side / size))
    wanted = ((TEMPLATE - 0.5) / margin + 0.5) * size * finer - 0.5
    matrix = similarity(points, wanted)
    if matrix is None or not fits(matrix, box, size * finer, margin):
        return crop(frame, box, size, margin)
    aligned = cv2.warpAffine(
        frame,
        matrix,
        (size * finer, size * finer),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    if finer > 1:
        aligned = cv2.resize(aligned, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(aligned, np.uint8)


def similarity(
    points: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | None:
    """Return the (2, 3) similarity that maps points closest to those wanted, or None."""
    # Half a second that only this alignment needs.
    from skimage.transform import estimate_transform

    if not np.isfinite(points).all() or np.ptp(points, axis=0).max() < 1:
        return None
    transform = estimate_transform("similarity", points, wanted)
    if not transform or not np.isfinite(transform.params).all():
        return None
    return np.asarray(transform.params[:2], np.float64)


def fits(
    matrix: npt.NDArray[np.float64], box: npt.NDArray[np.float32], size: int, margin: float
) -> bool:
    """Return whether a transform shows a square near the box and of about its size."""
    scale = float(np.hypot(*matrix[:, 0]))
    side = margin * measure_side(box)
    if not side / _MAX_MISFIT <= size / max(scale, 1e-9) <= side * _MAX_MISFIT:
        return False
    centre = np.linalg.solve(matrix[:, :2], (size - 1) / 2 - matrix[:, 2])
    return bool(np.linalg.norm(centre - _centres(np.asarray(box, np.float64))) <= side)


def measure_side(box: npt.NDArray[np.floating]) -> float:
    """Return the larger side of a box (4,), x0, y0, x1, y1."""
    wide = np.asarray(box, np.float64)
    return float(max(wide[2] - wide[0], wide[3] - wide[1]))


def _centres(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return (boxes[..., :2] + boxes[..., 2:]) / 2
