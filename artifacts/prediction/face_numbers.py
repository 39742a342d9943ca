"""Numbering of faces: the face tracks of overlapping clips joined to faces of a video."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from data_prep.faces.tracks import FaceTrack

# Two looks no further apart in time, in seconds, show a face at about the same place.
_SAME_TIME = 0.2
# How far it may have moved, in face sides: at about the same time, and since it was last seen.
_NEAR, _MOVED = 0.5, 1.0
# A face that was away for longer, in seconds, is another one.
_LONGEST_ABSENCE = 3.0
_MAX_SIZE_RATIO = 2.0
_NO_MATCH = 1e6


@dataclasses.dataclass
class _Face:
    """Track of a face: times in seconds, ascending, and boxes (n, 4)."""

    times: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.float64]

    def add(self, times: npt.NDArray[np.float64], boxes: npt.NDArray[np.float64]) -> None:
        joined = np.concatenate([self.times, times])
        self.times, kept = np.unique(joined, return_index=True)
        self.boxes = np.concatenate([self.boxes, boxes])[kept]


class FacesSeen:
    """Numbers of the faces of a video, assigned clip by clip.

    Overlapping clips show a face at the same positions. Between other clips, a track continues with
    the last or next face near its position, at most three seconds away. Appearance is not used: a
    person at another's position gets its number.
    """

    def __init__(self) -> None:
        self._faces: list[_Face] = []

    def number(self, tracks: Sequence[FaceTrack], times: npt.NDArray[np.float64]) -> list[int]:
        """Return the number of the face of each track, from 0 on; a new face gets a new one.

        Args:
            tracks: tracks of one clip.
            times: float64 (T,), times of its frames in seconds.
        """
        found = [_found(track, times) for track in tracks]
        costs = np.array([[_cost(face, *one) for face in self._faces] for one in found])
        numbers = [-1] * len(found)
        if self._faces and found:
            for at, number in zip(*linear_sum_assignment(costs), strict=True):
                if costs[at, number] < _NO_MATCH:
                    numbers[at] = int(number)
        for at, (when, boxes) in enumerate(found):
            if numbers[at] < 0:
                numbers[at] = len(self._faces)
                self._faces.append(_Face(np.zeros(0), np.zeros((0, 4))))
            self._faces[numbers[at]].add(when, boxes)
        return numbers


def _found(
    track: FaceTrack, times: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    seen = track.scores > 0
    return times[seen], track.boxes[seen].astype(np.float64)


def _cost(face: _Face, times: npt.NDArray[np.float64], boxes: npt.NDArray[np.float64]) -> float:
    """Return the distance of a track from a face, in face sides, or a huge one if impossible."""
    after = np.clip(np.searchsorted(face.times, times), 1, max(1, len(face.times) - 1))
    last = len(face.times) - 1
    before, after = after - 1, np.minimum(after, last)
    nearer = np.abs(face.times[before] - times) <= np.abs(face.times[after] - times)
    nearest = np.where(nearer, before, after)
    apart = np.abs(face.times[nearest] - times)
    compared = apart <= _SAME_TIME
    limit = _NEAR
    if not compared.any():
        compared, limit = apart == apart.min(), _MOVED
        if apart.min() > _LONGEST_ABSENCE:
            return _NO_MATCH
    ours, theirs = face.boxes[nearest][compared], boxes[compared]
    sides, other_sides = _sides(ours), _sides(theirs)
    ratio = np.median(np.maximum(sides, other_sides) / np.minimum(sides, other_sides))
    centres = np.linalg.norm(_centres(ours) - _centres(theirs), axis=1)
    shift = float(np.median(2 * centres / (sides + other_sides)))
    return shift if ratio <= _MAX_SIZE_RATIO and shift <= limit else _NO_MATCH


def _sides(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1e-6)


def _centres(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2
