"""Where the five landmarks of a face lie in its stored crops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from data_prep.faces import crops
from data_prep.faces.tracks import FaceTrack
from data_prep.store.store import Store


def crop_points(
    store: Store, rows: Sequence[int] | npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """Eyes, nose and mouth corners of stored clips, in pixels of their crops.

    The centre of the upper left pixel is (0, 0), as OpenCV counts. Crops that were aligned by
    their landmarks are followed, too.

    Args:
        store: an open store.
        rows: which clips.

    Returns:
        float32 (len(rows), T, 5, 2), x and y; NaN where the store has no landmarks.
    """
    boxes, landmarks = store.clip_field("boxes"), store.clip_field("landmarks")
    width, height = store.media["width"], store.media["height"]
    size = store.clip_shape[1]
    made = {"margin": 1.3, "align": "box"} | store.preparation.get("clip", {})
    found = np.empty((len(rows), *landmarks.shape[1:]), np.float32)
    for place, row in enumerate(map(int, rows)):
        track = FaceTrack(boxes[row], landmarks[row], np.ones(len(boxes[row]), np.float32), 1.0)
        found[place] = points_in_crops(
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
    """Landmarks of a track in the crops that :func:`data_prep.faces.crops.crop_track` makes.

    Args:
        track: the face, in pixels of its frames.
        frame_size: width and height of the frames.
        size, margin, align: of the crops.

    Returns:
        float32 (T, 5, 2).
    """
    squares = crops.crop_boxes(track.boxes)
    smooth = crops.smooth_points(track)
    found = np.empty(track.landmarks.shape, np.float32)
    for at, (five, box) in enumerate(zip(track.landmarks, squares, strict=True)):
        matrix = _aligning(smooth[at], box, frame_size, size, margin) if align == "points" else None
        if matrix is None:
            matrix = _boxed(box, frame_size, size, margin)
        found[at] = five @ matrix[:, :2].T + matrix[:, 2]
    return found


def _boxed(
    box: npt.NDArray[np.float32], frame_size: tuple[int, int], size: int, margin: float
) -> npt.NDArray[np.float64]:
    """The (2, 3) matrix from pixels of a frame to those of the square around a box."""
    side = max(1, round(min(margin * crops.side_of(box), crops.MOST_SHOWN * max(frame_size))))
    centre = np.clip((box[:2] + box[2:]) / 2, 0, np.array(frame_size) - 1)
    corner = np.round(centre.astype(np.float64) - side / 2)
    scale = size / side
    # Resizing keeps the edges of the picture in their places, not the centres of its pixels.
    shift = (0.5 - corner) * scale - 0.5
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def _aligning(
    points: npt.NDArray[np.float64],
    box: npt.NDArray[np.float32],
    frame_size: tuple[int, int],
    size: int,
    margin: float,
) -> npt.NDArray[np.float64] | None:
    """The matrix to the square in which five points lie as in the template; None without one."""
    side = min(margin * crops.side_of(box), crops.MOST_SHOWN * max(frame_size))
    finer = max(1, int(np.ceil(side / size)))
    wanted = ((crops.TEMPLATE - 0.5) / margin + 0.5) * size * finer - 0.5
    matrix = crops.similarity(points, wanted)
    if matrix is None or not crops.fits(matrix, box, size * finer, margin):
        return None
    matrix = matrix / finer
    matrix[:, 2] += 0.5 / finer - 0.5
    return matrix
