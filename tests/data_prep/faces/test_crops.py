"""Crops follow the face, keep still with it, and have their shape whatever the boxes are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.transform import rotate

from data_prep.errors import UserError
from data_prep.faces.centerface import CenterFace
from data_prep.faces.crops import ALIGNMENTS, crop, crop_boxes, crop_track
from data_prep.faces.detection import Detection
from data_prep.faces.tracks import FaceTrack

Maker = Callable[..., Detection]

# Where the eyes, nose and mouth corners of an aligned face lie, of 112 px (Deng et al., 2019).
_FIVE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]]
)  # fmt: skip


def _track(*faces: Detection) -> FaceTrack:
    return FaceTrack(
        np.stack([face.box for face in faces]),
        np.stack([face.landmarks for face in faces]),
        np.array([face.score for face in faces], np.float32),
        1.0,
    )


def test_a_trembling_box_does_not_make_the_crop_tremble() -> None:
    trembling = np.random.default_rng(0).normal(0, 2, (16, 4))
    boxes = (np.array([100, 100, 200, 200]) + trembling).astype(np.float32)
    squares = crop_boxes(boxes)
    sides = squares[:, 2] - squares[:, 0]
    assert np.ptp(sides) < 1e-3
    assert squares[:, 0].std() < boxes[:, 0].std()
    np.testing.assert_allclose(squares[:, 3] - squares[:, 1], sides, rtol=1e-5)


def test_a_head_that_jumps_stays_in_the_middle_of_its_crop(made_face: Maker) -> None:
    boxes = np.stack([made_face(100 + 100 * (t % 2), 100).box for t in range(8)])
    centres = (crop_boxes(boxes)[:, 0] + crop_boxes(boxes)[:, 2]) / 2
    assert np.abs(centres - (100 + 100 * (np.arange(8) % 2))).max() <= 5.01


def test_the_crop_grows_with_a_face_that_comes_nearer(made_face: Maker) -> None:
    boxes = np.stack([made_face(200, 200, side).box for side in (60, 80, 100, 120, 140)])
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
        (-1e6, -1e6, 1e6, 1e6),
    ],
)
def test_a_crop_beyond_the_frame_mirrors_it(box: tuple[float, ...]) -> None:
    frame = np.full((300, 400, 3), 7, np.uint8)
    cut = crop(frame, np.array(box, np.float32), 64)
    assert cut.shape == (64, 64, 3)
    assert cut.min() == cut.max() == 7


def test_boxes_are_cut_as_by_crop(made_face: Maker) -> None:
    frames = [np.random.default_rng(t).integers(0, 256, (200, 240, 3), np.uint8) for t in range(3)]
    track = _track(*[made_face(100 + t, 90) for t in range(3)])
    crops = crop_track(frames, track, size=64, margin=1.4, align="box")
    assert crops.dtype == np.uint8
    for frame, box, cut in zip(frames, crop_boxes(track.boxes), crops, strict=True):
        np.testing.assert_array_equal(cut, crop(frame, box, 64, margin=1.4))


@pytest.mark.parametrize(("margin", "size"), [(1.0, 112), (1.3, 112), (1.3, 64)])
def test_aligned_landmarks_lie_where_the_template_has_them(margin: float, size: int) -> None:
    angle, scale, shift = 0.4, 1.7, np.array([150, 90])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = _FIVE @ turn.T + shift
    frame = np.zeros((400, 400, 3), np.uint8)
    columns, rows = np.meshgrid(np.arange(400), np.arange(400))
    for x, y in points:
        frame[np.hypot(columns - x, rows - y) < 5] = 255
    centre = np.array([56, 56]) @ turn.T + shift
    box = np.concatenate([centre - 90, centre + 90]).astype(np.float32)
    face = Detection(box, points.astype(np.float32), 1.0)
    (cut,) = crop_track([frame], _track(face), size=size, margin=margin, align="points")
    wanted = ((_FIVE / 112 - 0.5) / margin + 0.5) * size
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    for x, y in wanted:
        near = np.hypot(columns - x, rows - y) < 0.06 * size
        weights = cut[..., 0] * near
        # A coordinate is that of a pixel's corner in the template, of its centre in the crop.
        assert (weights * (columns + 0.5)).sum() / weights.sum() == pytest.approx(x, abs=1)
        assert (weights * (rows + 0.5)).sum() / weights.sum() == pytest.approx(y, abs=1)


def test_aligned_faces_are_upright(centerface: CenterFace) -> None:
    image = skimage.data.astronaut()
    turned = np.asarray(255 * rotate(image, 20, center=(221, 130), mode="edge"), np.uint8)
    (face,) = centerface.detect(turned)
    assert face.landmarks[0, 1] - face.landmarks[1, 1] > 5
    (cut,) = crop_track([turned], _track(face), size=128, margin=1.6, align="points")
    (upright,) = centerface.detect(cut)
    assert abs(upright.landmarks[0, 1] - upright.landmarks[1, 1]) < 4


def test_an_aligned_crop_shows_about_what_the_box_shows(centerface: CenterFace) -> None:
    image = skimage.data.astronaut()
    (face,) = centerface.detect(image)
    sides = []
    for align in ALIGNMENTS:
        (cut,) = crop_track([image], _track(face), size=128, margin=1.6, align=align)
        (again,) = centerface.detect(cut)
        sides.append(again.box[3] - again.box[1])
    assert sides[0] == pytest.approx(sides[1], rel=0.2)


def test_trembling_landmarks_are_smoothed(made_face: Maker) -> None:
    still = made_face(150, 150)
    frame = np.random.default_rng(1).integers(0, 256, (20, 20, 3), np.uint8)
    frame = np.repeat(np.repeat(frame, 15, axis=0), 15, axis=1)
    noise = np.random.default_rng(2).normal(0, 2, (12, 5, 2)).astype(np.float32)
    trembling = FaceTrack(
        np.stack([still.box] * 12), still.landmarks + noise, np.ones(12, np.float32), 1.0
    )
    moving = crop_track([frame] * 12, trembling, size=64, align="points")
    alone = np.concatenate(
        [
            crop_track(
                [frame],
                _track(Detection(still.box, points, 1.0)),
                size=64,
                align="points",
            )
            for points in trembling.landmarks
        ]
    )
    change = [np.abs(np.diff(crops.astype(float), axis=0)).mean() for crops in (moving, alone)]
    assert change[0] < 0.7 * change[1]


@pytest.mark.parametrize("collapsed", [np.nan, 1e30, 0.0, 150.0])
def test_landmarks_that_fit_no_face_are_left_to_the_box(collapsed: float, made_face: Maker) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    face = Detection(made_face(150, 150).box, np.full((5, 2), collapsed, np.float32), 1.0)
    by_points = crop_track([frame], _track(face), size=64, align="points")
    np.testing.assert_array_equal(by_points, crop_track([frame], _track(face), size=64))


def test_landmarks_of_another_face_are_left_to_the_box(made_face: Maker) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    face = Detection(made_face(60, 150, 40).box, made_face(250, 150, 40).landmarks, 1.0)
    by_points = crop_track([frame], _track(face), size=64, align="points")
    np.testing.assert_array_equal(by_points, crop_track([frame], _track(face), size=64))


def test_an_unknown_alignment_is_answered_with_the_known_ones(made_face: Maker) -> None:
    frame = np.zeros((200, 200, 3), np.uint8)
    with pytest.raises(UserError, match="align must be one of box, points; received 'eyes'"):
        crop_track([frame], _track(made_face(100, 100)), size=64, align="eyes")


_coordinates = st.floats(-1e6, 1e6, width=32) | st.floats(-300, 300, width=32)


@settings(max_examples=60, deadline=None)
@given(
    boxes=arrays.arrays(np.float32, (3, 4), elements=_coordinates),
    landmarks=arrays.arrays(
        np.float32, (3, 5, 2), elements=_coordinates | st.just(np.nan) | st.just(np.inf)
    ),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    size=st.integers(1, 40),
    margin=st.floats(1, 4),
    align=st.sampled_from(ALIGNMENTS),
)
def test_any_boxes_and_landmarks_give_crops_of_the_right_shape(
    boxes: np.ndarray,
    landmarks: np.ndarray,
    shape: tuple[int, int],
    size: int,
    margin: float,
    align: str,
) -> None:
    frames = [np.full((*shape, 3), value, np.uint8) for value in (0, 90, 255)]
    track = FaceTrack(boxes, landmarks, np.ones(3, np.float32), 1.0)
    crops = crop_track(frames, track, size=size, margin=margin, align=align)
    assert crops.shape == (3, size, size, 3)
    # What is shown is the frame and its mirror images, nothing else.
    assert [(crop.min(), crop.max()) for crop in crops] == [(0, 0), (90, 90), (255, 255)]


@settings(max_examples=60, deadline=None)
@given(
    boxes=arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.just(4)), elements=_coordinates)
)
def test_crop_boxes_are_finite_squares(boxes: np.ndarray) -> None:
    squares = crop_boxes(boxes)
    assert squares.shape == boxes.shape
    assert squares.dtype == np.float32
    assert np.isfinite(squares).all()
    widths, heights = (squares[:, 2:] - squares[:, :2]).T
    np.testing.assert_allclose(widths, heights, atol=0.3)
