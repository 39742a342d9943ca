"""Regions of a face: outlines that follow its landmarks from frame to frame."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.floating]

# Mean positions of eyes, nose and mouth corners in a crop of side 1, for clips without landmarks.
STANDARD = np.array([[0.36, 0.41], [0.63, 0.41], [0.495, 0.565], [0.38, 0.685], [0.61, 0.685]])

# Outlines in coordinates of the face: across in eye distances from its middle line, down in
# distances from eyes to mouth, 0 at the eyes and 1 at the mouth. Centre, and half width and height.
_OVALS = {
    "face": ((0.0, 0.55), (1.05, 1.2)),
    "inner": ((0.0, 0.5), (0.85, 0.85)),
    "eyes": ((0.0, 0.0), (0.95, 0.4)),
    "nose": ((0.0, 0.5), (0.35, 0.45)),
    "mouth": ((0.0, 1.02), (0.62, 0.38)),
}
# Halves of the face: the axis, and its lowest and highest coordinate.
_HALVES = {"lower": (1, 0.3, np.inf), "left": (0, -np.inf, 0.0), "right": (0, 0.0, np.inf)}
REGIONS = (*_OVALS, *_HALVES)

# Points of MediaPipe's mesh: the outline of the face below the brows, brows, eyes, nose and lips.
_JAW = (
    *(389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152),
    *(148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162),
)
_BROWS = (
    *(46, 52, 53, 55, 63, 65, 66, 70, 105, 107),
    *(276, 282, 283, 285, 293, 295, 296, 300, 334, 336),
)
_EYES = (33, 133, 145, 159, 263, 362, 374, 386)
_NOSE = (2, 48, 98, 129, 168, 278, 327, 358)
_LIPS = (0, 17, 37, 39, 61, 84, 91, 146, 181, 185, 267, 269, 270, 291, 314, 321, 375, 405, 409)
# Points of each region; a hull of all points is the whole face.
_MESHES: dict[str, tuple[int, ...]] = {
    "face": tuple(range(468)),
    "inner": (*_JAW, *_BROWS),
    "lower": (*_JAW[2:-2], *_NOSE[:3]),
    "eyes": (*_BROWS, *_EYES),
    "nose": _NOSE,
    "mouth": _LIPS,
}

_CORNERS = 48
# In a profile, the eyes are close to each other but the face keeps its width.
_LEAST_RATIO = 0.6
# Points closer together than this share of the crop are no face.
_SMALLEST = 0.04
_FINE = 4


def complete_points(points: Points | None, frames: int, size: int) -> npt.NDArray[np.float64]:
    """Return five points for every frame; missing ones are interpolated or, without any, standard.

    Args:
        points: (T, 5, 2) in pixels of the crop; a frame with a NaN or without a face is missing.
        frames: T.
        size: Side of the crop in pixels.

    Returns:
        float64 (T, 5, 2).

    Raises:
        ValueError: The points have another shape.
    """
    standard = np.tile(STANDARD * size, (frames, 1, 1))
    if points is None:
        return standard
    if points.shape != standard.shape:
        raise ValueError(f"points must be {standard.shape}, received {points.shape}")
    known = np.flatnonzero([_is_face(five, size) for five in points])
    if not len(known):
        return standard
    if len(known) == frames:
        return points.astype(np.float64)
    flat = points[known].reshape(len(known), -1).astype(np.float64)
    all_frames = np.arange(frames)
    filled = np.stack([np.interp(all_frames, known, values) for values in flat.T], axis=1)
    return filled.reshape(standard.shape)


def _is_face(five: Points, size: int) -> bool:
    # Comparisons with NaN are false.
    inside = (np.abs(five - size / 2) <= size).all()
    return bool(inside and np.ptp(five, axis=0).max() >= _SMALLEST * size)


def outline(region: str, five: Points) -> npt.NDArray[np.float64]:
    """Return the convex outline of a region of a face, float64 (n, 2), x and y in pixels.

    Args:
        region: One of :data:`REGIONS`.
        five: (5, 2), eyes, nose and mouth corners.
    """
    eyes, mouth = five[:2].mean(axis=0), five[3:].mean(axis=0)
    apart = float(np.linalg.norm(five[1] - five[0]))
    down = mouth - eyes
    height = float(np.linalg.norm(down))
    if height == 0:
        down, height = np.array([0.0, 1.0]), 1.0
    unit = down / height
    height, width = max(height, _LEAST_RATIO * apart), max(apart, _LEAST_RATIO * height)
    centre, half = _OVALS.get(region, _OVALS["face"])
    turns = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    places = np.array(centre) + np.array(half) * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    if region in _HALVES:
        axis, low, high = _HALVES[region]
        places[:, axis] = places[:, axis].clip(low, high)
    across = np.array([unit[1], -unit[0]])
    return eyes + places[:, :1] * width * across + places[:, 1:] * height * unit


def mesh_outline(
    region: str, mesh: Points, moves: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | None:
    """Return the convex outline of a region of a face mesh, float64 (n, 2), x and y in pixels.

    Args:
        region: A region that a mesh has.
        mesh: (T, 468, 2) in pixels of the crop; NaN in frames without a face.
        moves: (T, 2, 3), movement of the face to every frame: see :func:`follow_face`.

    Returns:
        The outline for the whole clip, from the median of all frames; None without a mesh.
    """
    known = np.isfinite(mesh).all(axis=(1, 2))
    if region not in _MESHES or not known.any():
        return None
    points = mesh[known][:, list(_MESHES[region])].astype(np.float64)
    back = np.linalg.inv(moves[known][..., :2])
    still = (points - moves[known][:, None, :, 2]) @ back.transpose(0, 2, 1)
    hull = cv2.convexHull(np.median(still, axis=0).astype(np.float32))
    return np.asarray(hull[:, 0], np.float64)


def fill_outline(corners: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float32]:
    """Return the inside of a convex outline, float32 (size, size), 1 inside, with a smooth edge."""
    mask = np.zeros((size, size), np.uint8)
    fixed = np.round(corners * 2**_FINE).astype(np.int32)
    cv2.fillConvexPoly(mask, fixed, 255, cv2.LINE_AA, _FINE)
    return mask.astype(np.float32) / np.float32(255)


def follow_face(
    points: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return one face for a whole clip, and its movement to every frame.

    Args:
        points: (T, 5, 2), complete: see :func:`complete_points`.

    Returns:
        float64 (5, 2), the median over the frames, and float64 (T, 2, 3), the least-squares
        similarities that map it to the points of each frame.
    """
    middle = np.median(points, axis=0)
    # As complex numbers a similarity is z -> a z + b.
    ours, theirs = middle @ [1, 1j], points @ np.array([1, 1j])
    centre, centres = ours.mean(), theirs.mean(axis=1)
    around = ours - centre
    spread = float((np.abs(around) ** 2).sum())
    turn = (theirs - centres[:, None]) @ around.conj() / max(spread, 1e-9)
    shift = centres - turn * centre
    matrices = np.empty((len(points), 2, 3))
    matrices[:, 0] = np.stack([turn.real, -turn.imag, shift.real], axis=1)
    matrices[:, 1] = np.stack([turn.imag, turn.real, shift.imag], axis=1)
    return middle, matrices
