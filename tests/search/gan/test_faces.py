"""Faces for a GAN are real ones of one split, and pictures of them can be looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.store.store import Clip, Store, write_store
from search.gan.faces import (
    TooFewFacesError,
    real_faces,
    resize_faces,
    to_pixels,
    to_unit,
    write_grid,
)


def test_faces_are_real_ones_of_the_split_alone(store: Store) -> None:
    faces = real_faces(store, "val", 32)
    rows = store.rows("val", label=0)
    assert faces.shape == (len(rows) * store.clip_shape[0], 32, 32, 3)
    clips = store.read(rows)[..., :3]
    np.testing.assert_array_equal(faces, clips.reshape(-1, 32, 32, 3))
    assert real_faces(store, "val", 64).shape[1:] == (64, 64, 3)


def test_fewer_are_taken_evenly_over_clips(store: Store) -> None:
    rows = store.rows("train", label=0)
    faces = real_faces(store, "train", 32, most=3)
    wanted = store.read(rows[[0, (len(rows) - 1) // 2, -1]])[:, 0, ..., :3]
    np.testing.assert_array_equal(faces, wanted)


def test_too_few_real_faces_say_how_many_are_needed(
    make_clips: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    write_store(tmp_path / "few.h5", make_clips(4), [], {"synthetic": True})
    wanted = r"needs 8 real faces in the val split, found 4 \(1 clips of 4 frames\); prepare"
    with Store(tmp_path / "few.h5") as few, pytest.raises(TooFewFacesError, match=wanted):
        real_faces(few, "val", 32)


def test_faces_go_to_the_unit_range_and_back() -> None:
    faces = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    unit = to_unit(faces)
    assert (unit.min(), unit.max()) == (-1, 1)
    np.testing.assert_array_equal(to_pixels(unit), faces)


def test_scaling_takes_the_mean_of_areas_and_leaves_grey_out() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 4)).astype(np.uint8)
    found = resize_faces(frames, 32)
    assert found.shape == (2, 32, 32, 3)
    areas = frames[..., :3].reshape(2, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(found - areas).max() <= 0.5


@pytest.mark.parametrize(("count", "side"), [(64, 32), (5, 64), (200, 32)])
def test_a_grid_shows_generated_faces_beside_real_ones(
    tmp_path: Path, count: int, side: int
) -> None:
    generated = np.full((count, side, side, 3), (200, 30, 10), np.uint8)
    real = np.full((count, side, side, 3), (10, 30, 200), np.uint8)
    write_grid(tmp_path / "faces.png", generated, real)
    picture = cv2.cvtColor(cv2.imread(str(tmp_path / "faces.png")), cv2.COLOR_BGR2RGB)
    assert picture.shape == (8 * 64 + 28, 2 * 8 * 64 + 16, 3)
    assert tuple(picture[28 + 5, 5]) == (200, 30, 10)
    assert tuple(picture[28 + 5, 512 + 16 + 5]) == (10, 30, 200)
    last = tuple(picture[-5, 512 - 5])
    assert last == ((200, 30, 10) if count >= 64 else (255, 255, 255))
    assert [path.name for path in tmp_path.iterdir()] == ["faces.png"]
