"""What needs no training is measured right, and whatever the clip, it is a number."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from data_prep.preparation.shortcuts import QUANTITIES, measure
from data_prep.video.grey import with_grey
from data_prep.video.video import Media

VIDEO = Media("avc1", width=640, height=480, fps=25.0, frames=250, duration=10.0, bytes=500_000)
STILL = Media("png", width=300, height=200, fps=0.0, frames=1, duration=0.0, bytes=30_000)
BOX = np.array([10, 20, 110, 145], np.float32)
# Eyes at a height of 60, a mouth straight below at 100, the nose halfway and 3 pixels off.
POINTS = np.array([[40, 60], [80, 60], [63, 80], [45, 100], [75, 100]], np.float32)


def _frames(picture: npt.NDArray[np.uint8], count: int = 3) -> npt.NDArray[np.uint8]:
    return with_grey(np.stack([picture] * count))


def _measure(picture: npt.NDArray[np.uint8], media: Media = VIDEO) -> dict[str, float]:
    frames = _frames(picture)
    return measure(frames, np.stack([BOX] * 3), np.stack([POINTS] * 3), media)


@pytest.fixture(scope="module")
def face() -> npt.NDArray[np.uint8]:
    return cv2.resize(
        skimage.data.astronaut()[0:220, 120:320], (128, 128), interpolation=cv2.INTER_AREA
    )


def test_every_quantity_is_named_and_measured(face: npt.NDArray[np.uint8]) -> None:
    assert list(_measure(face)) == list(QUANTITIES)


def test_blur_lowers_sharpness_and_nothing_of_the_file(face: npt.NDArray[np.uint8]) -> None:
    sharp, blurred = _measure(face), _measure(cv2.GaussianBlur(face, (0, 0), 1.5))
    assert blurred["sharpness"] < 0.3 * sharp["sharpness"]
    assert blurred["bitrate"] == sharp["bitrate"]


def test_sharpness_is_the_variance_of_the_laplacian_of_the_central_half() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:4] = 255
    assert _measure(picture)["sharpness"] == 0
    picture[8, 8] = 30
    expected = np.array([-120] + [30] * 4 + [0] * 59).var()
    assert _measure(picture)["sharpness"] == pytest.approx(expected)


@pytest.mark.parametrize("deviation", [2.0, 5.0, 10.0])
def test_noise_is_near_the_deviation_that_was_added(deviation: float) -> None:
    rng = np.random.default_rng(0)
    grey = 120 + np.add.outer(np.arange(128), np.arange(128)) / 10
    noisy = np.clip(grey + rng.normal(0, deviation, (128, 128)), 0, 255).round().astype(np.uint8)
    found = _measure(np.repeat(noisy[..., None], 3, axis=2))["noise"]
    # Where noise itself makes the gradients, the flatter half is a little quieter.
    assert found == pytest.approx(deviation, rel=0.25)


def test_colour_and_brightness_are_those_of_a_flat_picture() -> None:
    values = _measure(np.full((16, 16, 3), (100, 90, 50), np.uint8))
    assert (values["brightness"], values["contrast"]) == (80, 0)
    assert (values["red_green"], values["blue_green"]) == (10, -40)
    assert values["noise"] == 0


def test_the_geometry_of_a_face_is_measured_in_its_own_size() -> None:
    values = _measure(np.zeros((16, 16, 3), np.uint8))
    assert values["crop_size"] == 125
    assert values["crop_aspect"] == pytest.approx(100 / 125)
    assert values["eye_distance"] == pytest.approx(40 / 125)
    assert values["mouth_width"] == pytest.approx(30 / 125)
    assert values["face_height"] == pytest.approx(40 / 125)
    assert values["nose_height"] == pytest.approx(0.5)
    assert values["asymmetry"] == pytest.approx(3 / 40)


@given(st.floats(0.1, 10), st.floats(-math.pi, math.pi), st.floats(-500, 500))
def test_geometry_does_not_depend_on_scale_place_and_the_nose_not_on_rotation(
    scale: float, angle: float, shift: float
) -> None:
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    frames = np.zeros((1, 16, 16, 4), np.uint8)
    before = measure(frames, BOX[None], POINTS[None].astype(np.float64), VIDEO)
    points = POINTS.astype(np.float64) @ turn * scale + shift
    after = measure(frames, BOX[None].astype(np.float64) * scale + shift, points[None], VIDEO)
    for name in ("eye_distance", "mouth_width", "face_height", "nose_height", "asymmetry"):
        assert after[name] == pytest.approx(before[name], rel=1e-6, abs=1e-6), name


def test_the_file_is_described_and_a_still_has_bytes_a_pixel() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    video, still = _measure(picture), _measure(picture, STILL)
    assert (video["width"], video["height"], video["fps"], video["frames"]) == (640, 480, 25, 250)
    assert video["aspect"] == pytest.approx(4 / 3)
    assert (video["duration"], video["file_size"], video["bitrate"]) == (10, 500_000, 400_000)
    assert (still["fps"], still["duration"]) == (0, 0)
    assert still["bitrate"] == pytest.approx(0.5)


def test_frames_that_were_not_looked_at_do_not_count(face: npt.NDArray[np.uint8]) -> None:
    boxes, points = np.stack([BOX] * 3), np.stack([POINTS] * 3)
    boxes[1], points[1] = np.nan, np.nan
    assert measure(_frames(face), boxes, points, VIDEO) == _measure(face)


@given(
    st.integers(1, 3).flatmap(
        lambda count: st.tuples(
            arrays.arrays(np.uint8, (count, 16, 16, 4)),
            arrays.arrays(np.float32, (count, 4)),
            arrays.arrays(np.float32, (count, 5, 2)),
        )
    ),
    st.builds(
        Media,
        codec=st.just(""),
        width=st.integers(0, 10_000),
        height=st.integers(0, 10_000),
        fps=st.floats(0),
        frames=st.integers(0, 10**9),
        duration=st.floats(0),
        bytes=st.integers(0, 10**12),
    ),
)
def test_whatever_the_clip_every_quantity_is_finite(
    clip: tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.float32]],
    media: Media,
) -> None:
    with np.errstate(all="ignore"):
        values = measure(*clip, media)
    assert all(math.isfinite(value) for value in values.values())


def test_a_file_without_size_or_length_has_zeros() -> None:
    nothing = dataclasses.replace(STILL, width=0, height=0, bytes=0)
    values = _measure(np.zeros((16, 16, 3), np.uint8), nothing)
    assert (values["aspect"], values["bitrate"]) == (0, 0)
