"""Intervals come from draws of people, and where there are none there is no interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from data_prep import bootstrap
from data_prep.bootstrap import batch_intervals, group_intervals


def test_people_are_drawn_whole() -> None:
    """Every draw weighs the clips of one person alike."""
    labels = np.tile([0, 1], 10)
    groups = np.repeat([f"p{number}" for number in range(5)], 4)
    drawn: list[npt.NDArray[np.integer]] = []

    def measure(weights: npt.NDArray[np.integer]) -> dict[str, float]:
        drawn.append(weights)
        return {"people": float(len(np.unique(groups[weights > 0])))}

    intervals = group_intervals(measure, labels, groups, seed=0)
    for weights in drawn:
        assert (weights.reshape(5, 4) == weights[::4, None]).all()
        assert weights.sum() == 20
    assert intervals["people"] == (2, 5)


def test_a_draw_without_both_labels_is_drawn_again() -> None:
    labels, groups = np.array([0, 1]), np.array(["a", "b"])
    seen = set()

    def measure(weights: npt.NDArray[np.integer]) -> dict[str, float]:
        seen.add(tuple(weights.tolist()))
        return {"x": 1.0}

    assert group_intervals(measure, labels, groups, seed=0) == {"x": (1, 1)}
    assert seen == {(1, 1)}


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=400)
    labels = np.tile([0, 1], 200)
    groups = np.arange(400).astype(str)

    def measure(weights: npt.NDArray[np.integer]) -> dict[str, float]:
        return {"mean": float(np.average(values, weights=weights))}

    interval = group_intervals(measure, labels, groups, seed=0)["mean"]
    assert interval is not None
    half = 1.96 * values.std() / 20
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_one_person_has_no_interval() -> None:
    labels, groups = np.array([0, 1]), np.array(["a", "a"])
    assert group_intervals(lambda weights: {"x": 1.0}, labels, groups, seed=0) == {"x": None}


def test_of_one_label_alone_every_draw_counts() -> None:
    labels, groups = np.ones(6, np.int64), np.repeat(["a", "b", "c"], 2)
    weights_seen: list[int] = []

    def measure(weights: npt.NDArray[np.integer]) -> dict[str, float]:
        weights_seen.append(int(weights[0]))
        return {"first": float(weights[0])}

    assert group_intervals(measure, labels, groups, seed=0) == {"first": (0, 3)}
    assert len(weights_seen) == 1 + 1000


@pytest.mark.parametrize("together", [1, 7, 100_000])
def test_draws_taken_together_are_the_draws_taken_one_by_one(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "_WEIGHTS", 12 * together)
    labels, groups = np.tile([0, 1], 6), np.repeat(["a", "b", "c", "d"], 3)
    values = np.arange(12.0)
    alone = group_intervals(lambda w: {"mean": float(w @ values / w.sum())}, labels, groups, 3)
    both = batch_intervals(lambda w: {"mean": w @ values / w.sum(axis=1)}, labels, groups, 3)
    assert both == alone
    one = np.full(12, "a")
    assert batch_intervals(lambda w: {"mean": w @ values}, labels, one, 3) == {"mean": None}
