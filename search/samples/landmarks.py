"""Positions of the five landmarks of a face in its stored crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.faces import crops
from data_prep.faces.tracks import FaceTrack
from data_prep.store.store import Store


def crop_points(
    store: Store, rows: Sequence[int] | npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """Return eyes, nose and mouth corners of stored clips, in pixels of their crops.

    The centre of the upper left pixel is (0, 0), as in OpenCV. Crops that were aligned by their
    landmarks are supported, too.

    Args:
        store: An open store.
        rows: Rows of the clips.

    Returns:
        float32 (len(rows), T, 5, 2), x and y; NaN where the store has no landmarks.

    Raises:
        UserError: The store has no boxes, landmarks, picture sizes or settings of its crops.
    """
    boxes, landmarks = store.clip_field("boxes"), store.clip_field("landmarks")
    width, height = store.clip_field("media/width"), store.clip_field("media/height")
    size = store.clip_shape[1]
    settings: dict[str, Any] = store.preparation.get("clip") or {}
    made: dict[str, Any] = {"margin": 1.3, "align": "box", **settings}
    if not (isinstance(made["margin"], int | float) and np.isfinite(boxes[rows]).all()):
        raise UserError(
            f"{store.path} has face boxes or a margin that are no numbers; run dfsearch verify "
            f"{store.path}"
        )
    found = np.empty((len(rows), *landmarks.shape[1:]), np.float32)
    for number, row in enumerate(map(int, rows)):
        track = FaceTrack(boxes[row], landmarks[row], np.ones(len(boxes[row]), np.float32), 1.0)
        found[number] = points_in_crops(
            track,
            (int(width[row]), int(height[row])),
            size=size,
            margin=made["margin"],
            align=made["align"],
        )
    return found


def points_in_crops(
    track: FaceTrack,
    frame_size: tuple[int, int],
    *,
    size: int,
    margin: float = 1.3,
    align: str = "box",
) -> npt.NDArray[np.float32]:
    """Return the landmarks of a track in the crops of :func:`data_prep.faces.crops.crop_track`.

    Args:
        track: The face, in pixels of its frames.
        frame_size: Width and height of the frames.
        size, margin, align: Settings of the crops.

    Returns:
        float32 (T, 5, 2).
    """
    squares = crops.crop_boxes(track.boxes)
    smooth = crops.smooth_points(track)
    found = np.empty(track.landmarks.shape, np.float32)
    for frame, (five, box) in enumerate(zip(track.landmarks, squares, strict=True)):
        matrix = (
            _aligning(smooth[frame], box, frame_size, size, margin) if align == "points" else None
        )
        if matrix is None:
            matrix = _boxed(box, frame_size, size, margin)
        found[frame] = five @ matrix[:, :2].T + matrix[:, 2]
    return found


def _boxed(
    box: npt.NDArray[np.float32], frame_size: tuple[int, int], size: int, margin: float
) -> npt.NDArray[np.float64]:
    """Return the (2, 3) matrix from pixels of a frame to those of the square around a box."""
    side = max(1, round(min(margin * crops.measure_side(box), crops.MOST_SHOWN * max(frame_size))))
    centre = np.clip((box[:2] + box[2:]) / 2, 0, np.array(frame_size) - 1)
    corner = np.round(centre.astype(np.float64) - side / 2)
    scale = size / side
    # Resizing keeps the edges of the picture fixed, not the centres of its pixels.
    shift = (0.5 - corner) * scale - 0.5
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def _aligning(
    points: npt.NDArray[np.float64],
    box: npt.NDArray[np.float32],
    frame_size: tuple[int, int],
    size: int,
    margin: float,
) -> npt.NDArray[np.float64] | None:
    """Return the matrix that moves five points to the template; None if there is none."""
    side = min(margin * crops.measure_side(box), crops.MOST_SHOWN * max(frame_size))
    finer = max(1, int(np.ceil(side / size)))
    wanted = ((crops.TEMPLATE - 0.5) / margin + 0.5) * size * finer - 0.5
    matrix = crops.similarity(points, wanted)
    if matrix is None or not crops.fits(matrix, box, size * finer, margin):
        return None
    matrix = matrix / finer
    matrix[:, 2] += 0.5 / finer - 0.5
    return matrix
