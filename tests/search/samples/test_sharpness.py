from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from data_prep.preparation.shortcuts import measure
from data_prep.video.grey import with_grey
from data_prep.video.video import Media
from search.samples.sharpness import blend, set_sharpness, sharpness, touched_region

SIZE = 96


@pytest.fixture(scope="module")
def faces() -> npt.NDArray[np.uint8]:
    """A portrait, uint8 (2, 96, 96, 3), the second frame mirrored."""
    face = cv2.resize(skimage.data.astronaut()[0:220, 110:330], (SIZE, SIZE))
    return np.stack([face, face[:, ::-1]])


def test_it_is_the_sharpness_that_a_store_keeps(faces: npt.NDArray[np.uint8]) -> None:
    frames = with_grey(faces)
    boxes, points = np.tile([0.0, 0, 9, 9], (2, 1)), np.zeros((2, 5, 2))
    kept = measure(frames, boxes, points, Media("h264", 9, 9, 25.0, 2, 1.0, 9))["sharpness"]
    assert sharpness(frames) == pytest.approx(kept, rel=0.01)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("everywhere", [True, False])
def test_sharpness_becomes_what_is_wanted(
    faces: npt.NDArray[np.uint8], factor: float, everywhere: bool
) -> None:
    weight = np.full(faces.shape[:3], 0.8, np.float32)
    weight[:, :, : SIZE // 4] = 0
    wanted = factor * sharpness(faces)
    changed = set_sharpness(faces, wanted, None if everywhere else weight)
    assert sharpness(changed) == pytest.approx(wanted, rel=0.05)
    if not everywhere:
        np.testing.assert_array_equal(changed[:, :, : SIZE // 4], faces[:, :, : SIZE // 4])


def test_what_has_no_detail_stays_as_it_is() -> None:
    flat = np.full((2, SIZE, SIZE, 3), 90, np.uint8)
    np.testing.assert_array_equal(set_sharpness(flat, 100.0), flat)


def test_a_weight_says_how_much_of_which_picture_is_seen(faces: npt.NDArray[np.uint8]) -> None:
    under, over = faces[0], np.full_like(faces[0], 40)
    weight = np.zeros(under.shape[:2], np.float32)
    weight[:10], weight[10:20] = 1, 0.25
    mixed = blend(under, over, weight)
    np.testing.assert_array_equal(mixed[:10], over[:10])
    np.testing.assert_allclose(mixed[10:20], 0.75 * under[10:20].astype(float) + 10, atol=1)
    np.testing.assert_array_equal(mixed[20:], under[20:])


def test_what_a_weight_touches_is_found_over_all_frames() -> None:
    weight = np.zeros((3, 9, 8), np.float32)
    weight[0, 2, 3], weight[2, 6, 5] = 1, 0.01
    assert touched_region(weight) == (slice(2, 7), slice(3, 6))
