from __future__ import annotations

import numpy as np
import pytest

from artifacts.explain.localisation import share_inside
from bench import explain


def test_the_share_of_heat_inside_ignores_evidence_for_real() -> None:
    evidence = np.zeros((2, 3, 4, 4))
    evidence[0, 1, 0, 0], evidence[0, 2, 3, 3], evidence[0, 0, 1, 1] = 3, 1, -5
    region = np.zeros((2, 3, 4, 4))
    region[:, :, :2, :2] = 1
    shares = share_inside(evidence, region).tolist()
    assert shares[0] == 0.75
    assert np.isnan(shares[1])


def test_squares_are_means_in_row_order() -> None:
    values = np.zeros((1, explain.SIDE, explain.SIDE))
    values[0, : explain.PATCH, explain.PATCH : 2 * explain.PATCH] = 6
    squares = explain.average_squares(values)
    assert squares.shape == (1, (explain.SIDE // explain.PATCH) ** 2)
    assert squares[0, 1] == 6 and squares.sum() == 6


def test_an_interval_draws_people_and_ignores_clips_without_heat() -> None:
    values = np.array([0.2, 0.2, 0.6, 0.6, np.nan])
    value, low, high = explain.estimate_mean(values, np.array(["a", "a", "b", "b", "b"]))
    assert value == pytest.approx(0.4)
    assert (low, high) == (pytest.approx(0.2), pytest.approx(0.6))
