"""Faces keep their numbers from clip to clip."""

from __future__ import annotations

import numpy as np

from artifacts.prediction.face_numbers import FacesSeen
from data_prep.faces.tracks import FaceTrack


def _track(x: float, count: int = 4, side: float = 100.0, drift: float = 0.0) -> FaceTrack:
    left = x + drift * np.arange(count)
    boxes = np.stack([left, np.full(count, 50.0), left + side, np.full(count, 50.0 + side)], axis=1)
    points = np.zeros((count, 5, 2), np.float32)
    return FaceTrack(boxes.astype(np.float32), points, np.ones(count, np.float32), 1.0)


def _times(start: float, count: int = 4) -> np.ndarray:
    return start + 0.125 * np.arange(count)


def test_faces_of_overlapping_clips_are_matched_whatever_their_order() -> None:
    seen = FacesSeen()
    assert seen.number([_track(0), _track(400)], _times(0)) == [0, 1]
    assert seen.number([_track(402), _track(2)], _times(0.25)) == [1, 0]


def test_a_face_that_moves_keeps_its_number_and_another_gets_one() -> None:
    seen = FacesSeen()
    assert seen.number([_track(0, drift=30)], _times(0)) == [0]
    assert seen.number([_track(60, drift=30), _track(500)], _times(0.25)) == [0, 1]


def test_a_clip_between_samples_is_matched_with_those_around_it() -> None:
    seen = FacesSeen()
    seen.number([_track(0), _track(400)], _times(0, 4))
    assert seen.number([_track(401, 2), _track(1, 2)], np.array([0.06, 0.31])) == [1, 0]


def test_after_a_long_absence_or_a_change_of_size_a_face_is_another() -> None:
    seen = FacesSeen()
    seen.number([_track(0)], _times(0))
    assert seen.number([_track(0)], _times(2.0)) == [0]
    assert seen.number([_track(0)], _times(9.0)) == [1]
    assert seen.number([_track(0, side=250)], _times(9.1)) == [2]


def test_a_face_elsewhere_is_another_even_when_the_first_is_gone() -> None:
    seen = FacesSeen()
    seen.number([_track(0)], _times(0))
    assert seen.number([_track(300)], _times(0.25)) == [1]
    assert seen.number([_track(150)], _times(2.0)) == [2]


def test_no_faces_are_no_trouble() -> None:
    seen = FacesSeen()
    assert seen.number([], _times(0)) == []
    assert seen.number([_track(0)], _times(0)) == [0]
    assert seen.number([], _times(1)) == []
