"""Faces that are missed at first are found at a second look, and none are made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from data_prep.faces.centerface import CenterFace
from data_prep.faces.detection import Detection
from data_prep.faces.repeated_detection import detect_again

Maker = Callable[..., Detection]

_FACELESS = (
    "brick",
    "cell",
    "chelsea",
    "coffee",
    "grass",
    "hubble_deep_field",
    "page",
    "rocket",
    "text",
)


def _read(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


def _rgb(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.stack([image] * 3, axis=-1) if image.ndim == 2 else image[..., :3]


def test_a_face_too_small_at_first_is_found_in_the_pixels_of_the_frame(
    centerface: CenterFace,
) -> None:
    portrait = cv2.resize(skimage.data.astronaut(), (180, 180), interpolation=cv2.INTER_AREA)
    frame = np.full((720, 1280, 3), 90, np.uint8)
    frame[300:480, 700:880] = portrait
    assert centerface.detect(frame) == []
    (face,) = detect_again(centerface, frame)
    (alone,) = centerface.detect(portrait)
    expected = alone.box + np.array([700, 300, 700, 300])
    np.testing.assert_allclose(face.box, expected, atol=8)
    np.testing.assert_allclose(face.landmarks, alone.landmarks + np.array([700, 300]), atol=8)


class _Recorder:
    """Finds the faces given for its looks, in turn, and keeps how it was asked."""

    side = 320
    threshold = 0.5
    second_threshold = 0.4

    def __init__(self, *found: list[Detection]) -> None:
        self.found = list(found)
        self.shapes: list[tuple[int, ...]] = []
        self.sides: list[int | None] = []

    def detect(
        self,
        frame: npt.NDArray[np.uint8],
        *,
        side: int | None = None,
        threshold: float | None = None,
    ) -> list[Detection]:
        assert threshold == self.second_threshold
        self.shapes.append(frame.shape)
        self.sides.append(side)
        return self.found.pop(0)


def test_the_first_sure_face_ends_the_search(made_face: Maker) -> None:
    sure, doubtful = made_face(50, 50, 40, 0.6), made_face(20, 20, 10, 0.45)
    detector = _Recorder([], [sure, doubtful])
    (face,) = detect_again(detector, np.zeros((100, 200, 3), np.uint8))
    assert face.score == 0.6
    assert detector.sides == [160, 640]


def test_without_a_sure_face_the_best_of_the_doubtful_ones_counts(made_face: Maker) -> None:
    looks = [[made_face(50, 50, 40, score)] for score in (0.41, 0.47, 0.43)]
    detector = _Recorder(*looks, [])
    (face,) = detect_again(detector, np.zeros((100, 200, 3), np.uint8))
    assert face.score == 0.47
    assert detector.shapes == [(100, 200, 3), (100, 200, 3), (300, 400, 3), (500, 600, 3)]


def test_what_lies_in_the_mirrored_border_is_no_face_of_the_frame(made_face: Maker) -> None:
    mirrored, inside = made_face(60, 150, 40, 0.9), made_face(150, 150, 40, 0.8)
    (face,) = detect_again(_Recorder([], [], [mirrored, inside]), np.zeros((100, 200, 3), np.uint8))
    # The border is half of the long side, 100 px.
    np.testing.assert_allclose(face.box, made_face(50, 50, 40).box)
    np.testing.assert_allclose(face.landmarks, made_face(50, 50, 40).landmarks)


@pytest.mark.parametrize("name", _FACELESS)
def test_no_face_is_made_up(name: str, centerface: CenterFace) -> None:
    image = np.ascontiguousarray(_rgb(getattr(skimage.data, name)()))
    assert centerface.detect(image) == []
    assert detect_again(centerface, image) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 200, 3)])
def test_any_shape_of_frame_will_do(shape: tuple[int, ...], centerface: CenterFace) -> None:
    assert detect_again(centerface, np.zeros(shape, np.uint8)) == []


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["faces_hardfake/real", "faces_hardfake/fake", "faces_lfw"])
def test_nearly_all_faces_of_real_pictures_are_found(
    folder: str, real_data: Path, centerface: CenterFace
) -> None:
    paths = [path for path in sorted((real_data / folder).rglob("*")) if path.is_file()]
    assert len(paths) >= 280
    missed = []
    for path in paths:
        frame = _read(path)
        if not (centerface.detect(frame) or detect_again(centerface, frame)):
            missed.append(path.name)
    assert len(missed) <= 0.01 * len(paths), missed
