"""Distances between sets of faces, and collapses seen in them."""

from __future__ import annotations

import numpy as np
import pytest

from search.gan.measures import (
    COLLAPSED_NEAREST,
    COLLAPSED_PAIRWISE,
    CollapseCheck,
    FaceMeasure,
    FaceMeasures,
    ModeCollapseError,
    distances,
    kid,
    kid_error,
)
from spaces.gan.features import random_features


def _faces(count: int, seed: int) -> np.ndarray:
    """Synthetic faces: a bright disc on a dark ground, each at its own place and brightness."""
    rng = np.random.default_rng(seed)
    down, right = np.mgrid[:32, :32]
    faces = np.empty((count, 32, 32, 3), np.float32)
    for face in faces:
        centre, colour = rng.uniform(10, 22, 2), rng.uniform(-0.2, 0.9, 3)
        inside = (down - centre[0]) ** 2 + (right - centre[1]) ** 2 < rng.uniform(40, 90)
        face[:] = np.where(inside[..., None], colour, -0.7)
    return faces + rng.normal(0, 0.02, faces.shape).astype(np.float32)


@pytest.fixture(scope="module")
def measure() -> FaceMeasure:
    return FaceMeasure(random_features(32), _faces(200, 0), _faces(100, 1))


def test_kid_is_near_zero_for_one_distribution_and_grows_with_distance() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(400, 8)), rng.normal(size=(400, 8))
    same, near, far = kid(a, b), kid(a, b + 0.5), kid(a, b + 1.5)
    assert abs(same) < 0.05
    assert same < near < far


def test_kid_is_unbiased_and_its_error_is_how_much_it_varies() -> None:
    rng = np.random.default_rng(1)
    drawn = [(rng.normal(size=(64, 6)), rng.normal(size=(64, 6))) for _ in range(60)]
    values = [kid(a, b) for a, b in drawn]
    errors = [kid_error(a, b) for a, b in drawn]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(60)
    # Small blocks vary more than whole sets; an error may be too large, never far too small.
    assert np.std(values) < np.median(errors) < 4 * np.std(values)


def test_too_few_faces_have_no_error() -> None:
    assert np.isnan(kid_error(np.zeros((3, 2)), np.zeros((9, 2))))


def test_distances_are_those_of_points() -> None:
    mean, nearest = distances(np.array([[0.0, 0], [3, 4], [0, 1]]))
    assert mean == pytest.approx((5 + 1 + np.sqrt(18)) / 3)
    assert nearest == pytest.approx(1)


def test_faces_like_the_real_ones_measure_as_such(measure: FaceMeasure) -> None:
    same, blank = measure(_faces(150, 2)), measure(np.zeros((150, 32, 32, 3), np.float32))
    assert abs(same.kid) < 3 * same.kid_error
    assert same.kid + 10 * same.kid_error < blank.kid
    assert 0.8 < same.pairwise < 1.25
    assert 0.7 < same.nearest < 1.4
    assert blank.pairwise < 1e-6


def test_real_faces_measured_against_themselves_are_the_mark(measure: FaceMeasure) -> None:
    real = measure(_faces(200, 0))
    assert real.pairwise == pytest.approx(1)
    assert abs(real.kid) < 3 * real.kid_error


def test_constant_real_faces_can_be_measured() -> None:
    grey = np.zeros((40, 32, 32, 3), np.float32)
    found = FaceMeasure(random_features(32), grey, grey)(_faces(20, 0))
    assert np.isfinite([found.kid, found.pairwise]).all()


def test_a_few_faces_repeated_are_a_collapse_that_only_neighbours_show(
    measure: FaceMeasure,
) -> None:
    few = np.repeat(_faces(6, 3), 20, axis=0)
    found = measure(few)
    assert found.pairwise > COLLAPSED_PAIRWISE
    assert found.nearest < COLLAPSED_NEAREST
    with pytest.raises(ModeCollapseError, match=r"nearest generated faces differ by 0\.000 of"):
        CollapseCheck().check(found, last=True)


def test_one_bad_report_is_forgiven_and_two_in_a_row_are_not() -> None:
    good, bad = FaceMeasures(1.0, 0.1, 0.9, 0.9), FaceMeasures(1.0, 0.1, 0.01, 0.9)
    watch = CollapseCheck()
    for measured in (bad, good, bad):
        watch.check(measured, last=False)
    with pytest.raises(ModeCollapseError, match=r"faces differ by 0\.010 of the distance"):
        watch.check(bad, last=False)
    with pytest.raises(ModeCollapseError):
        CollapseCheck().check(bad, last=True)
    CollapseCheck().check(good, last=True)
