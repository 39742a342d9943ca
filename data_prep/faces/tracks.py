"""Faces followed through the sampled frames of a video."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from data_prep.errors import VideoError
from data_prep.faces.detection import Detection, FaceDetector
from data_prep.faces.local_detection import detect_between
from data_prep.faces.repeated_detection import detect_again

_Look = Callable[[npt.NDArray[np.uint8]], list[Detection]]

# Sampled frames lie about a second apart: a face may move two sides and change size twofold.
_MAX_SHIFT = 2.0
_MAX_SIZE_RATIO = 2.0
_NO_MATCH = 1e6
# A face whose landmarks are no further apart in two looks, in face sides, is taken to be still
# between them: landmarks tremble less than boxes.
_STILL_SHIFT = 0.04
# Below this coverage of the main track, frames without a face are looked at more closely.
_HARD_COVERAGE = 0.5
# Tracks of nearly the greatest length compete by size and position.
_RIVAL_LENGTH = 0.8


@dataclasses.dataclass(frozen=True)
class FaceTrack:
    """One face over the T sampled frames of a video.

    Attributes:
        boxes: float32 (T, 4), x0, y0, x1, y1 in source pixels.
        landmarks: float32 (T, 5, 2), source pixels.
        scores: float32 (T,), the confidence where the face was found, 0 where it was looked for
            and not found, NaN where it was not looked for; where it was not found, box and
            landmarks are interpolated.
        coverage: fraction of the frames looked at in which the face was found.
    """

    boxes: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    coverage: float

    def scaled(self, x: float, y: float) -> FaceTrack:
        """Return the track on frames ``x`` times as wide and ``y`` times as high."""
        factors = np.array([x, y], np.float32)
        return dataclasses.replace(
            self, boxes=self.boxes * np.tile(factors, 2), landmarks=self.landmarks * factors
        )


def find_tracks(
    frames: Sequence[npt.NDArray[np.uint8]],
    detector: FaceDetector,
    *,
    every: int = 4,
    looks: dict[int, Sequence[Detection]] | None = None,
) -> list[FaceTrack]:
    """Follow every face through T frames.

    The first and the last frame are examined, and one of every k between them. If the faces of two
    neighbours differ in number, position or size, the frame halfway is examined too, recursively: a
    still head costs T/k detections, a moving one up to T. Every 2k-th frame is examined whole.
    Between two frames with the same people, only the area around these is examined
    (:func:`~data_prep.faces.local_detection.detect_between`). If the main face is then found in
    fewer than half of the examined frames, those without a face are examined again by
    :func:`~data_prep.faces.repeated_detection.detect_again`. Short videos repeat their frames: a
    repeated object costs nothing.

    Faces are matched with the last known position of every track, at the least total of landmark
    distance, in face sides, and lack of overlap (Kuhn, 1955). Frames without a detection of the
    face get an interpolated box; at the ends the nearest one is repeated.

    Args:
        frames: T times uint8 (H, W, 3), RGB, all of one size.
        detector: finds the faces of a frame.
        every: k, the largest distance of examined frames; 1 examines all of them whole.
        looks: faces of the frames examined before, by position among ``frames``; those of newly
            examined frames are added.

    Returns:
        The tracks, the main one first: it was found in most frames; among those nearly as long, it
        is the largest and most central.

    Raises:
        VideoError: step ``faces``; no frame has a face.
    """
    firsts, numbers = _distinct(frames)
    distinct = [frames[at] for at in firsts]
    shape = (distinct[0].shape[0], distinct[0].shape[1]) if distinct else None
    before = looks or {}
    known = {at: before[first] for at, first in enumerate(firsts) if first in before}
    found = _look_where_needed(distinct, detector, detector.detect, every, known)
    tracks = _join(found, len(distinct), shape)
    if not tracks or tracks[0].coverage < _HARD_COVERAGE:
        again = {
            at: list(faces) or detect_again(detector, distinct[at]) for at, faces in found.items()
        }
        found = _look_where_needed(
            distinct,
            detector,
            lambda frame: detector.detect(frame) or detect_again(detector, frame),
            every,
            again,
        )
        tracks = _join(found, len(distinct), shape)
    if looks is not None:
        looks.update({firsts[at]: faces for at, faces in found.items()})
    if not tracks:
        where = f"any of the {len(frames)} sampled frames" if len(frames) > 1 else "it"
        raise VideoError("faces", f"no face found in {where}")
    return [_at_frames(track, numbers) for track in tracks]


def _distinct(
    frames: Sequence[npt.NDArray[np.uint8]],
) -> tuple[list[int], npt.NDArray[np.intp]]:
    """Return the positions of distinct frames, and for each frame the number of its own."""
    firsts = [at for at in range(len(frames)) if not at or frames[at] is not frames[at - 1]]
    return firsts, np.searchsorted(firsts, np.arange(len(frames)), side="right") - 1


def _look_where_needed(
    frames: Sequence[npt.NDArray[np.uint8]],
    detector: FaceDetector,
    look: _Look,
    every: int,
    known: Mapping[int, Sequence[Detection]],
) -> dict[int, Sequence[Detection]]:
    """Detect the faces of every frame that needs it; return them by position."""
    looks = dict(known)
    whole = 2 * every if every > 1 else 1
    stops = sorted({*range(0, len(frames), whole), len(frames) - 1}) if frames else []
    spans = list(itertools.pairwise(stops))
    looks.update({at: look(frames[at]) for at in stops if at not in looks})
    while spans:
        start, end = spans.pop()
        middle = (start + end) // 2
        if middle == start:
            continue
        if end - start <= every and _all_still(looks[start], looks[end]):
            continue
        if middle not in looks:
            same = _same_faces(looks[start], looks[end])
            looks[middle] = (
                detect_between(detector, frames[middle], same) if same else look(frames[middle])
            )
        spans += [(start, middle), (middle, end)]
    return looks


def _same_faces(
    faces: Sequence[Detection], others: Sequence[Detection]
) -> list[tuple[Detection, Detection]]:
    """Return the faces of two frames in pairs; none unless each face of one is in the other."""
    pairs = _pairs(faces, others)
    if not len(faces) == len(others) == len(pairs):
        return []
    return [(faces[one], others[other]) for one, other in pairs]


def _all_still(faces: Sequence[Detection], others: Sequence[Detection]) -> bool:
    """Return whether two frames show the same faces at the same positions, or none."""
    if not faces and not others:
        return True
    same = _same_faces(faces, others)
    return bool(same) and all(_shift(*pair) <= _STILL_SHIFT for pair in same)


def _join(
    looks: Mapping[int, Sequence[Detection]], length: int, frame_shape: tuple[int, int] | None
) -> list[FaceTrack]:
    """Join detections to tracks, the main one first."""
    tracks: list[dict[int, Detection]] = []
    for at in sorted(looks):
        faces = looks[at]
        matched = {new: old for old, new in _pairs([_last(found) for found in tracks], faces)}
        for number, face in enumerate(faces):
            if number in matched:
                tracks[matched[number]][at] = face
            else:
                tracks.append({at: face})
    ordered = []
    while tracks:
        longest = max(len(found) for found in tracks)
        rivals = [found for found in tracks if len(found) >= _RIVAL_LENGTH * longest]
        main = max(rivals, key=lambda found: _prominence(found, frame_shape))
        tracks = [found for found in tracks if found is not main]
        ordered.append(_fill(main, sorted(looks), length))
    return ordered


def _last(found: Mapping[int, Detection]) -> Detection:
    return found[max(found)]


def _pairs(faces: Sequence[Detection], others: Sequence[Detection]) -> list[tuple[int, int]]:
    """Return the numbers of the faces that can be the same, at the least total cost."""
    if not faces or not others:
        return []
    costs = np.array([[_cost(face, other) for other in others] for face in faces])
    return [
        (int(one), int(other))
        for one, other in zip(*linear_sum_assignment(costs), strict=True)
        if costs[one, other] < _NO_MATCH
    ]


def _cost(face: Detection, other: Detection) -> float:
    """Shift and lack of overlap; no match when a face is too far away or too unlike in size."""
    side, other_side = _side(face.box), _side(other.box)
    if max(side, other_side) > _MAX_SIZE_RATIO * min(side, other_side):
        return _NO_MATCH
    shift = _shift(face, other)
    return shift + 1 - _overlap(face.box, other.box) if shift <= _MAX_SHIFT else _NO_MATCH


def _shift(face: Detection, other: Detection) -> float:
    """Return the mean distance of the landmarks, in mean face sides."""
    side = (_side(face.box) + _side(other.box)) / 2
    between = np.linalg.norm(face.landmarks.astype(np.float64) - other.landmarks, axis=1)
    return float(between.mean() / max(side, 1e-6))


def _overlap(box: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """Return the intersection over union; two equal boxes of no area overlap wholly."""
    one, two = box.astype(np.float64), other.astype(np.float64)
    shared = _area(np.concatenate([np.maximum(one[:2], two[:2]), np.minimum(one[2:], two[2:])]))
    union = _area(one) + _area(two) - shared
    return float(shared / union) if union > 0 else float(np.array_equal(one, two))


def _area(box: npt.NDArray[np.float64]) -> float:
    return float(np.prod(np.maximum(box[2:] - box[:2], 0)))


def _side(box: npt.NDArray[np.float32]) -> float:
    return float(np.max(box[2:].astype(np.float64) - box[:2]))


def _prominence(found: Mapping[int, Detection], frame_shape: tuple[int, int] | None) -> float:
    """Return the mean face area; its weight falls from 1 in the middle to a half in a corner."""
    boxes = np.stack([face.box for face in found.values()]).astype(np.float64)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    if frame_shape is None:
        return float(areas.mean())
    middle = np.array([frame_shape[1] / 2, frame_shape[0] / 2])
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    off_centre = np.hypot(*(centres - middle).T) / np.hypot(*middle)
    return float((areas * (1 - 0.5 * np.minimum(off_centre, 1))).mean())


def _fill(found: Mapping[int, Detection], looked: Sequence[int], length: int) -> FaceTrack:
    known = sorted(found)
    values = np.stack(
        [np.concatenate([found[at].box, found[at].landmarks.ravel()]) for at in known]
    )
    positions = np.arange(length)
    filled = np.stack([np.interp(positions, known, column) for column in values.T], axis=1)
    scores = np.full(length, np.nan, np.float32)
    scores[looked] = 0
    scores[known] = [found[at].score for at in known]
    return FaceTrack(
        boxes=filled[:, :4].astype(np.float32),
        landmarks=filled[:, 4:].reshape(length, 5, 2).astype(np.float32),
        scores=scores,
        coverage=len(known) / len(looked),
    )


def _at_frames(track: FaceTrack, numbers: npt.NDArray[np.intp]) -> FaceTrack:
    """Expand a track of distinct frames to all frames, given the number of each one's."""
    scores = track.scores[numbers]
    found, looked = np.count_nonzero(scores > 0), np.count_nonzero(~np.isnan(scores))
    return FaceTrack(track.boxes[numbers], track.landmarks[numbers], scores, float(found / looked))
