"""A mark painted on a landmark is found in the crop where the landmark is said to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.faces.crops import crop_track
from data_prep.faces.tracks import FaceTrack
from data_prep.store.store import Clip, Store, write_store
from search.samples.landmarks import crop_points, points_in_crops

WIDTH, HEIGHT = 640, 480
FIVE = np.array([[250, 180], [330, 170], [295, 225], [265, 275], [330, 268]], np.float32)


def moving_track(count: int, left: float = 0.0) -> FaceTrack:
    """A face that goes to the right, turned a little, its box larger than its features."""
    steps = np.arange(count, dtype=np.float32)[:, None]
    along = np.concatenate([steps * 6 - left, steps * 2], axis=1)
    boxes = np.array([200, 120, 390, 330], np.float32) + np.tile(along, 2)
    return FaceTrack(boxes, FIVE + along[:, None], np.ones(count, np.float32), 1.0)


def painted(track: FaceTrack, point: int) -> list[np.ndarray]:
    frames = []
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for five in track.landmarks:
        # Wide enough for its centre of mass to be found to a fraction of a pixel.
        spot = 255 * np.exp(-((x - five[point, 0]) ** 2 + (y - five[point, 1]) ** 2) / (2 * 8**2))
        frames.append(np.repeat(spot[..., None], 3, axis=2).astype(np.uint8))
    return frames


@pytest.mark.parametrize("align", ["box", "points"])
@pytest.mark.parametrize(("size", "left"), [(96, 0.0), (128, 150.0), (301, 0.0)])
def test_a_mark_in_the_frame_is_where_its_point_is_in_the_crop(
    align: str, size: int, left: float
) -> None:
    track = moving_track(3, left)
    found = points_in_crops(track, (WIDTH, HEIGHT), size=size, margin=1.4, align=align)
    assert found.dtype == np.float32
    y, x = np.mgrid[:size, :size]
    for point in (0, 4):
        crops = crop_track(painted(track, point), track, size=size, margin=1.4, align=align)
        for at, crop in enumerate(crops[..., 0].astype(float)):
            centre = [(x * crop).sum() / crop.sum(), (y * crop).sum() / crop.sum()]
            np.testing.assert_allclose(found[at, point], centre, atol=0.25)


def test_landmarks_that_fit_no_face_are_followed_into_the_crop_of_the_box() -> None:
    track = moving_track(2)
    far = FaceTrack(track.boxes, track.landmarks * 0.01 + 300, track.scores, 1.0)
    aligned = points_in_crops(far, (WIDTH, HEIGHT), size=96, align="points")
    np.testing.assert_array_equal(
        aligned, points_in_crops(far, (WIDTH, HEIGHT), size=96, align="box")
    )


def test_points_of_a_store_come_row_by_row_and_are_nan_where_it_has_none(
    make_clip: Callable[..., Clip], tmp_path: Path
) -> None:
    unknown = np.full((3, 5, 2), np.nan, np.float32)
    clips = [make_clip("anna"), make_clip("ben", landmarks=unknown)]
    write_store(tmp_path / "store.h5", clips, [], {"clip": {"margin": 1.5}})
    with Store(tmp_path / "store.h5") as store:
        found = crop_points(store, [1, 0, 0])
        size = store.clip_shape[1]
    assert found.shape == (3, 3, 5, 2)
    assert np.isnan(found[0]).all()
    np.testing.assert_array_equal(found[1], found[2])
    # The box is 120 high about (90, 90), so the square goes from 0 to 180.
    np.testing.assert_allclose(found[1, 0, 0], [70.5 * size / 180 - 0.5] * 2, atol=1e-4)
