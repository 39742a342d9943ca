"""Metrics are those of the books, intervals are over people, calibration keeps the ranking."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import brentq
from sklearn import metrics

from artifacts.evaluation import (
    Calibration,
    Evaluation,
    best_threshold,
    calibrate,
    evaluate,
)

Array = npt.NDArray[Any]
HALVES = {"auc", "eer", "average_precision", "accuracy", "precision", "recall", "f1"}


def _evaluate(
    labels: Array, probabilities: Array, groups: Array | None = None, **options: Any
) -> Evaluation:
    count = len(labels)
    settings: dict[str, Any] = {"split": "val", "threshold": 0.5, "quarantined": 0}
    return evaluate(
        labels,
        probabilities,
        np.arange(count).astype(str) if groups is None else groups,
        np.where(labels == 1, "Deepfakes", "real"),
        np.ones(count),
        **settings | options,
    )


def _noisy(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Labels and overlapping probabilities, some of them equal."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 3 == 0).astype(np.uint8)
    logits = rng.normal(labels * 1.5 - 0.5, 1.0)
    return labels, np.round(1 / (1 + np.exp(-logits)), 2)


def test_metrics_are_those_computed_by_hand() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.uint8)
    probabilities = np.array([0.1, 0.2, 0.3, 0.7, 0.4, 0.6, 0.8, 0.9])
    found = _evaluate(labels, probabilities)
    assert found.auc == pytest.approx(14 / 16)
    assert found.eer == pytest.approx(0.25)
    assert found.accuracy == pytest.approx(6 / 8)
    assert found.precision == pytest.approx(3 / 4)
    assert found.recall == pytest.approx(3 / 4)
    assert found.f1 == pytest.approx(3 / 4)
    assert found.average_precision == pytest.approx((1 + 1 + 3 / 4 + 4 / 5) / 4)
    right = np.where(labels == 1, probabilities, 1 - probabilities)
    assert found.log_loss == pytest.approx(-np.log(right).mean())
    assert found.brier == pytest.approx(((1 - right) ** 2).mean())
    assert (found.videos, found.reals, found.fakes) == (8, 4, 4)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_agree_with_scikit_learn(seed: int) -> None:
    labels, probabilities = _noisy(50, seed)
    found = _evaluate(labels, probabilities, threshold=0.4)
    called = probabilities >= 0.4
    assert found.auc == pytest.approx(metrics.roc_auc_score(labels, probabilities))
    expected = metrics.average_precision_score(labels, probabilities)
    assert found.average_precision == pytest.approx(expected)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, called))
    assert found.precision == pytest.approx(metrics.precision_score(labels, called))
    assert found.recall == pytest.approx(metrics.recall_score(labels, called))
    assert found.f1 == pytest.approx(metrics.f1_score(labels, called))
    inside = np.clip(probabilities, 1e-15, 1 - 1e-15)
    assert found.log_loss == pytest.approx(metrics.log_loss(labels, inside))
    assert found.brier == pytest.approx(metrics.brier_score_loss(labels, probabilities))
    false_alarm, hit, _ = metrics.roc_curve(labels, probabilities)
    eer = brentq(lambda rate: 1 - rate - np.interp(rate, false_alarm, hit), 0, 1)
    assert found.eer == pytest.approx(eer)


@pytest.mark.parametrize(
    ("probabilities", "auc", "eer"),
    [
        ([0.1, 0.2, 0.8, 0.9], 1.0, 0.0),
        ([0.9, 0.8, 0.2, 0.1], 0.0, 1.0),
        ([0.5, 0.5, 0.5, 0.5], 0.5, 0.5),
        ([0.0, 0.0, 1.0, 1.0], 1.0, 0.0),
        ([0.1, 0.8, 0.2, 0.9], 0.75, 0.5),
    ],
)
def test_equal_error_rate_and_auc_of_clear_cases(
    probabilities: list[float], auc: float, eer: float
) -> None:
    found = _evaluate(np.array([0, 0, 1, 1]), np.array(probabilities))
    assert found.auc == pytest.approx(auc)
    assert found.eer == pytest.approx(eer)


def test_scores_of_exactly_nothing_and_one_give_finite_metrics() -> None:
    found = _evaluate(np.array([0, 1, 0, 1]), np.array([1.0, 0.0, 0.0, 1.0]))
    json.dumps(found.to_json(), allow_nan=False)
    assert found.log_loss > 10


def test_no_video_called_fake_has_precision_of_nothing() -> None:
    found = _evaluate(np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.1, 0.2]), threshold=0.9)
    assert (found.precision, found.recall, found.f1) == (0, 0, 0)


def test_a_score_at_the_threshold_is_called_fake() -> None:
    found = _evaluate(np.array([0, 1]), np.array([0.2, 0.5]), threshold=0.5)
    assert found.recall == 1


def test_intervals_hold_the_point_and_narrow_with_more_people() -> None:
    widths = []
    for count in (30, 300):
        labels, probabilities = _noisy(count)
        found = _evaluate(labels, probabilities)
        assert found.auc_ci == found.intervals["auc"]
        for name, interval in found.intervals.items():
            assert interval is not None
            assert interval[0] <= getattr(found, name) <= interval[1], name
            if name in HALVES:
                assert 0 <= interval[0] <= interval[1] <= 1
        assert found.auc_ci is not None
        widths.append(found.auc_ci[1] - found.auc_ci[0])
    assert widths[1] < widths[0]


def test_clips_of_one_person_are_drawn_together() -> None:
    labels, probabilities = _noisy(24)
    copies = 6
    alone = _evaluate(labels, probabilities)
    groups = np.tile(np.arange(24).astype(str), copies)
    labels, probabilities = np.tile(labels, copies), np.tile(probabilities, copies)
    together = _evaluate(labels, probabilities, groups)
    apart = _evaluate(labels, probabilities)
    for name, interval in alone.intervals.items():
        assert together.intervals[name] == pytest.approx(interval)
    assert together.auc_ci is not None
    assert apart.auc_ci is not None
    assert apart.auc_ci[1] - apart.auc_ci[0] < 0.6 * (together.auc_ci[1] - together.auc_ci[0])


def test_one_person_has_no_interval() -> None:
    labels, probabilities = _noisy(10)
    found = _evaluate(labels, probabilities, np.full(10, "one"))
    assert found.auc_ci is None
    assert set(found.intervals.values()) == {None}
    json.dumps(found.to_json(), allow_nan=False)


def test_a_real_and_a_fake_person_alone_still_have_intervals() -> None:
    labels = np.array([0, 0, 1, 1])
    groups = np.array(["a", "a", "b", "b"])
    found = _evaluate(labels, np.array([0.1, 0.6, 0.4, 0.9]), groups)
    assert found.auc_ci == pytest.approx((0.75, 0.75))


def test_intervals_depend_on_the_seed_alone() -> None:
    labels, probabilities = _noisy(30)
    one, again, other = (_evaluate(labels, probabilities, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one.intervals != other.intervals
    assert one.auc == other.auc


def test_each_method_is_scored_against_all_reals() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    probabilities = np.array([0.2, 0.6, 0.9, 0.7, 0.4])
    found = evaluate(
        labels,
        probabilities,
        np.arange(5).astype(str),
        np.array(["real", "real", "Deepfakes", "Deepfakes", "FaceSwap"]),
        np.array([1.0, 0.5, 0.8, 0.6, 1.0]),
        split="test",
        threshold=0.5,
        quarantined=3,
    )
    assert found.by_method == {
        "Deepfakes": {"videos": 2, "auc": 1.0, "recall": 1.0},
        "FaceSwap": {"videos": 1, "auc": 0.5, "recall": 0.0},
    }
    assert found.coverage_real == pytest.approx(0.75)
    assert found.coverage_fake == pytest.approx(0.8)
    assert found.quarantined == 3
    assert found.split == "test"


def _calibrated(probabilities: Array, calibration: Calibration) -> Array:
    inside = np.clip(probabilities, 1e-7, 1 - 1e-7)
    logit = calibration.slope * np.log(inside / (1 - inside)) + calibration.intercept
    return 1 / (1 + np.exp(-logit))


def test_calibration_lowers_the_loss_of_an_overconfident_model() -> None:
    labels, probabilities = _noisy(200)
    sure = probabilities**4 / (probabilities**4 + (1 - probabilities) ** 4)
    calibration = calibrate(labels, sure)
    assert 0 < calibration.slope < 1
    better = metrics.log_loss(labels, _calibrated(sure, calibration))
    assert better < metrics.log_loss(labels, sure)


def test_calibration_keeps_the_ranking() -> None:
    labels, probabilities = _noisy(60)
    probabilities = np.unique(probabilities)
    labels = labels[: len(probabilities)]
    assert (np.diff(_calibrated(probabilities, calibrate(labels, probabilities))) > 0).all()


def test_a_model_that_ranks_the_wrong_way_is_left_as_it_is() -> None:
    labels, probabilities = _noisy(60)
    assert calibrate(labels, 1 - probabilities) == Calibration(1.0, 0.0)


@pytest.mark.parametrize(
    "probabilities", [[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0], [0.5] * 4, [1e-300, 0.1, 1, 1]]
)
def test_extreme_scores_give_a_finite_calibration(probabilities: list[float]) -> None:
    found = calibrate(np.array([0, 0, 1, 1], np.uint8), np.array(probabilities))
    assert np.isfinite([found.slope, found.intercept]).all()
    assert found.slope > 0


def test_the_threshold_lies_in_the_middle_of_the_gap_that_separates() -> None:
    labels = np.array([0, 0, 1, 1])
    assert best_threshold(labels, np.array([0.1, 0.2, 0.6, 0.9])) == pytest.approx(0.4)


def test_the_threshold_has_the_best_balanced_accuracy_of_all() -> None:
    labels, probabilities = _noisy(80)
    threshold = best_threshold(labels, probabilities)
    found = metrics.balanced_accuracy_score(labels, probabilities >= threshold)
    others = [
        metrics.balanced_accuracy_score(labels, probabilities >= other)
        for other in np.linspace(0, 1, 201)
    ]
    assert found == pytest.approx(max(others))
    assert threshold not in probabilities


@pytest.mark.parametrize(
    "probabilities", [[0.0, 0.0, 1.0, 1.0], [0.9, 0.8, 0.2, 0.1], [0.5] * 4, [1.0] * 4]
)
def test_the_threshold_of_extreme_scores_is_a_probability(probabilities: list[float]) -> None:
    assert 0 <= best_threshold(np.array([0, 0, 1, 1]), np.array(probabilities)) <= 1
