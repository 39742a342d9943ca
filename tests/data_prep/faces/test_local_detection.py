"""Faces seen before and after a frame are found in it by looking only where they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from data_prep.faces.centerface import CenterFace
from data_prep.faces.detection import Detection
from data_prep.faces.local_detection import detect_between
from data_prep.faces.tracks import find_tracks
from data_prep.video.video import read_frames

Frame = npt.NDArray[np.uint8]


class _Counted(CenterFace):
    """Keeps the shapes of what it looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def detect(
        self, frame: Frame, *, side: int | None = None, threshold: float | None = None
    ) -> list[Detection]:
        self.shapes.append(frame.shape[:2])
        return super().detect(frame, side=side, threshold=threshold)


@pytest.fixture
def frames(face_frames: Callable[..., Iterator[Frame]]) -> list[Frame]:
    """The face on the left, a little to the right, and far to the right, of a wide frame."""
    face = next(face_frames(1))
    wide = [np.full((240, 960, 3), 90, np.uint8) for _ in range(3)]
    for frame, left in zip(wide, (0, 15, 600), strict=True):
        frame[:, left : left + 320] = face
    return wide


def _centre(face: Detection) -> npt.NDArray[np.floating]:
    return (face.box[:2] + face.box[2:]) / 2


def test_the_face_is_found_where_a_whole_look_finds_it(frames: list[Frame]) -> None:
    detector = _Counted()
    (before,), (whole,) = detector.detect(frames[0]), detector.detect(frames[1])
    detector.shapes.clear()
    (found,) = detect_between(detector, frames[1], [(before, before)])
    assert len(detector.shapes) == 1
    assert np.prod(detector.shapes[0]) < 0.4 * np.prod(frames[1].shape[:2])
    side = float(np.max(whole.box[2:] - whole.box[:2]))
    np.testing.assert_allclose(_centre(found), _centre(whole), atol=0.05 * side)
    np.testing.assert_allclose(found.landmarks, whole.landmarks, atol=0.05 * side)
    assert found.box.dtype == found.landmarks.dtype == np.float32


def test_a_face_that_is_not_there_is_looked_for_in_the_whole_frame(frames: list[Frame]) -> None:
    detector = _Counted()
    (before,), (far,) = detector.detect(frames[0]), detector.detect(frames[2])
    detector.shapes.clear()
    (found,) = detect_between(detector, frames[2], [(before, before)])
    assert detector.shapes[-1] == frames[2].shape[:2]
    np.testing.assert_array_equal(found.box, far.box)


def test_two_places_that_show_one_face_are_not_taken_for_two(frames: list[Frame]) -> None:
    detector = _Counted()
    (face,) = detector.detect(frames[0])
    assert len(detect_between(detector, frames[0], [(face, face), (face, face)])) == 1


@pytest.mark.parametrize("box", [[-900, -900, -800, -800], [50, 50, 50, 50]])
def test_a_place_outside_the_frame_or_of_no_size_is_no_place(
    box: list[int], frames: list[Frame]
) -> None:
    detector = _Counted()
    nowhere = Detection(np.float32(box), np.zeros((5, 2), np.float32), 0.9)
    (whole,) = detector.detect(frames[0])
    (found,) = detect_between(detector, frames[0], [(nowhere, nowhere)])
    np.testing.assert_array_equal(found.box, whole.box)


@pytest.mark.slow
def test_looks_nearby_cost_less_and_find_as_much_on_real_videos(real_data: Path) -> None:
    near = _Counted()
    wholes = 0
    for path in sorted((real_data / "ffpp").rglob("*.mp4"))[::4]:
        sampled = read_frames(path, 16).frames
        near.shapes.clear()
        track = find_tracks(sampled, near)[0]
        assert track.coverage == 1
        wholes += near.shapes.count(sampled[0].shape[:2])
        assert len(near.shapes) >= 5
    # At both ends and in the middle of each of the four videos.
    assert wholes == 12
