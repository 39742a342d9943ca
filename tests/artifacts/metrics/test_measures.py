"""Every figure is that of scikit-learn on clips repeated as often as they count."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn import metrics

from artifacts.metrics.measures import Measure, bin_count, compute_measures

Array = npt.NDArray[Any]

# Eighths, so that many scores are equal; each clip counts up to three times.
CLIP = st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 3))
CLIPS = st.lists(CLIP, min_size=2, max_size=40)
THRESHOLD = 0.5


def _columns(clips: list[tuple[bool, int, int]]) -> tuple[Array, Array, Array]:
    fakes, eighths, weights = (np.array(column) for column in zip(*clips, strict=True))
    assume(len(np.unique(fakes[weights > 0])) == 2)
    return fakes.astype(np.uint8), eighths / 8, weights


def _of_scikit_learn(labels: Array, scores: Array) -> dict[str, float]:
    called = scores >= THRESHOLD
    false_alarm, hit, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    return {
        "auc": metrics.roc_auc_score(labels, scores),
        "average_precision": metrics.average_precision_score(labels, scores),
        "eer": brentq(lambda rate: 1 - rate - np.interp(rate, false_alarm, hit), 0, 1),
        "tpr_at_1_percent_fpr": hit[false_alarm <= 0.01].max(),
        "tpr_at_0_1_percent_fpr": hit[false_alarm <= 0.001].max(),
        "accuracy": metrics.accuracy_score(labels, called),
        "precision": metrics.precision_score(labels, called, zero_division=0),
        "recall": metrics.recall_score(labels, called),
        "false_alarm_rate": metrics.recall_score(1 - labels, called),
        "f1": metrics.f1_score(labels, called),
        "log_loss": metrics.log_loss(labels, scores),
        "brier": metrics.brier_score_loss(labels, scores),
    }


@given(CLIPS)
def test_weighted_clips_are_as_good_as_repeated_ones(clips: list[tuple[bool, int, int]]) -> None:
    labels, scores, weights = _columns(clips)
    found = Measure(labels, scores, THRESHOLD)(weights[None])
    expected = _of_scikit_learn(np.repeat(labels, weights), np.repeat(scores, weights))
    assert set(found) == {*expected, "ece"}
    for name, value in expected.items():
        assert found[name] == pytest.approx([value], abs=1e-9), name


@given(CLIPS)
def test_many_draws_at_once_are_each_as_alone(clips: list[tuple[bool, int, int]]) -> None:
    labels, scores, weights = _columns(clips)
    draws = np.stack([weights, np.ones_like(weights), weights + 1])
    measure = Measure(labels, scores, THRESHOLD)
    together = measure(draws)
    for at, draw in enumerate(draws):
        alone = measure(draw[None])
        assert {name: values[at] for name, values in together.items()} == pytest.approx(
            {name: values[0] for name, values in alone.items()}
        )


@given(st.permutations(range(12)))
def test_the_order_of_clips_says_nothing(order: list[int]) -> None:
    labels = np.arange(12) % 3 == 0
    scores = (np.arange(12) * 7 % 5) / 5
    one = Measure(labels.astype(int), scores, THRESHOLD).point()
    other = Measure(labels[order].astype(int), scores[order], THRESHOLD).point()
    assert one == pytest.approx(other)


def test_the_calibration_error_compares_each_bin_with_its_share_of_fakes() -> None:
    # Thirty clips in three bins of ten: 0.1, 0.4 and 0.9 said, 0, 5 and 10 of them fakes.
    scores = np.repeat([0.1, 0.4, 0.9], 10) + np.arange(30) * 1e-9
    labels = np.repeat([0, 0, 1, 1], [10, 5, 5, 10])
    expected = (abs(0.1 - 0) + abs(0.4 - 0.5) + abs(0.9 - 1)) / 3
    assert Measure(labels, scores, THRESHOLD).point()["ece"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("clips", "bins"), [(1, 1), (19, 1), (20, 2), (149, 14), (10_000, 15)])
def test_a_bin_has_ten_clips_and_there_are_at_most_fifteen(clips: int, bins: int) -> None:
    assert bin_count(clips) == bins


@pytest.mark.parametrize(("label", "own"), [(1, "recall"), (0, "false_alarm_rate")])
def test_of_one_label_there_are_the_figures_that_need_no_other(label: int, own: str) -> None:
    found = Measure(np.full(4, label), np.array([0.2, 0.6, 0.7, 0.9]), THRESHOLD).point()
    assert set(found) == {"accuracy", own, "log_loss", "brier"}
    assert found[own] == 0.75


def test_the_interval_of_the_calibration_error_holds_it() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    groups = np.array([f"person {number}" for number in range(20)]).repeat(4)
    # As sure as it is right, so that every draw is further off than the clips themselves.
    scores = np.clip(0.5 + (labels - 0.5) * 0.2 + rng.normal(size=80) * 0.2, 0.01, 0.99)
    found = compute_measures(labels, scores, groups, THRESHOLD)
    interval = found.intervals["ece"]
    assert interval is not None
    assert interval[0] <= found.values["ece"] <= interval[1]
    assert set(found.intervals) == set(found.values)
