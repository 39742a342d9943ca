from __future__ import annotations

import cv2
import numpy as np
import pytest

from search.samples.face_regions import (
    REGIONS,
    STANDARD,
    complete_points,
    fill_outline,
    follow_face,
    mesh_outline,
    outline,
)

SIZE = 128
FIVE = STANDARD * SIZE


def turned(points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]):
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T + shift


def test_every_region_covers_what_it_is_named_for() -> None:
    eye, nose, corner = (FIVE[at].round().astype(int) for at in (0, 2, 3))
    masks = {name: fill_outline(outline(name, FIVE), SIZE) for name in REGIONS}
    covered = {
        name: {p for p in (0, 1, 2, 3, 4) if mask[tuple(FIVE[p].round().astype(int)[::-1])]}
        for name, mask in masks.items()
    }
    assert covered == {
        "face": {0, 1, 2, 3, 4},
        "inner": {0, 1, 2, 3, 4},
        "eyes": {0, 1},
        "nose": {2},
        "mouth": {3, 4},
        "lower": {2, 3, 4},
        "left": {0, 3} | ({2} if masks["left"][nose[1], nose[0]] else set()),
        "right": {1, 4} | ({2} if masks["right"][nose[1], nose[0]] else set()),
    }
    assert masks["inner"].sum() < masks["face"].sum() < 0.8 * SIZE**2
    assert eye[0] < nose[0] and corner[1] > nose[1]


def test_the_edge_of_a_region_is_smooth_and_its_area_that_of_its_outline() -> None:
    corners = outline("face", FIVE)
    mask = fill_outline(corners, SIZE)
    x, y = corners.T
    area = abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
    assert mask.sum() == pytest.approx(area, rel=0.05)
    assert ((mask > 0.1) & (mask < 0.9)).sum() > 30


def test_an_outline_turns_with_the_face() -> None:
    change = (20.0, 1.2, (5.0, -3.0))
    for name in REGIONS:
        moved = outline(name, turned(FIVE, *change))
        np.testing.assert_allclose(moved, turned(outline(name, FIVE), *change), atol=1e-9)


def test_a_face_is_followed_by_the_similarities_that_moved_it() -> None:
    places = np.stack([turned(FIVE, 4.0 * t, 1 + 0.02 * t, (2.0 * t, 0)) for t in (-1, 0, 1)])
    middle, matrices = follow_face(places)
    for five, matrix in zip(places, matrices, strict=True):
        np.testing.assert_allclose(middle @ matrix[:, :2].T + matrix[:, 2], five, atol=0.5)
    np.testing.assert_allclose(follow_face(places[:1])[1], [[[1, 0, 0], [0, 1, 0]]], atol=1e-9)


def test_missing_points_are_interpolated_and_a_clip_without_any_gets_standard_ones() -> None:
    points = np.stack([FIVE + 4 * t for t in range(4)]).astype(np.float32)
    holed = points.copy()
    holed[1, 2, 0] = np.nan
    holed[2] = FIVE.mean(axis=0)
    np.testing.assert_allclose(complete_points(holed, 4, SIZE), points, atol=1e-4)
    for none in (None, np.full((4, 5, 2), np.nan), np.full((4, 5, 2), np.inf)):
        np.testing.assert_array_equal(complete_points(none, 4, SIZE), np.stack([FIVE] * 4))


def test_points_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(4, 5, 2\)"):
        complete_points(np.zeros((3, 5, 2)), 4, SIZE)


def test_the_hull_of_a_mesh_is_that_of_the_median_face_whatever_its_movement() -> None:
    rng = np.random.default_rng(0)
    mesh = 64 + 20 * rng.standard_normal((468, 2))
    change = (15.0, 1.1, (4.0, -2.0))
    meshes = np.stack([mesh, turned(mesh, *change), np.full_like(mesh, np.nan)])
    still = np.array([[1.0, 0, 0], [0, 1, 0]])
    angle = np.deg2rad(change[0])
    matrix = change[1] * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = np.concatenate([matrix, np.array(change[2])[:, None]], axis=1)
    corners = mesh_outline("face", meshes, np.stack([still, moved, still]))
    assert corners is not None
    wanted = cv2.convexHull(mesh.astype(np.float32))[:, 0]
    assert len(corners) == len(wanted)
    for corner in corners:
        assert np.abs(wanted - corner).sum(axis=1).min() < 1e-3
    assert mesh_outline("face", meshes[2:], still[None]) is None
    assert mesh_outline("left", meshes, np.stack([still, moved, still])) is None
