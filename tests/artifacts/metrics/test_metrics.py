"""Metrics are those of the books, intervals are over people, calibration keeps the ranking."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pydantic
import pytest
from scipy.optimize import brentq
from sklearn import metrics

from artifacts.metrics.metrics import Calibration, Evaluation, best_threshold, calibrate, evaluate
from artifacts.metrics.per_video import ScoredClips

Array = npt.NDArray[Any]
HALVES = {"auc", "eer", "average_precision", "accuracy", "precision", "recall", "f1"}


def _evaluate(
    labels: Array, probabilities: Array, groups: Array | None = None, **options: Any
) -> Evaluation:
    count = len(labels)
    settings: dict[str, Any] = {"split": "val", "threshold": 0.5, "quarantined": 0}
    return evaluate(
        ScoredClips(
            labels,
            probabilities,
            np.arange(count).astype(str) if groups is None else groups,
            np.where(labels == 1, "Deepfakes", "real"),
            np.ones(count),
            options.pop("kinds", {}),
        ),
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
    for name in set(alone.intervals) - {"ece"}:
        assert together.intervals[name] == pytest.approx(alone.intervals[name])
    # Its bins are made of clips, not of people.
    assert together.ece_bins > alone.ece_bins
    assert together.auc_ci is not None
    assert apart.auc_ci is not None
    assert apart.auc_ci[1] - apart.auc_ci[0] < 0.6 * (together.auc_ci[1] - together.auc_ci[0])


def test_one_person_has_no_interval() -> None:
    labels, probabilities = _noisy(10)
    found = _evaluate(labels, probabilities, np.full(10, "one"))
    assert found.auc_ci is None
    assert set(found.intervals.values()) == {None}
    json.dumps(found.to_json(), allow_nan=False)


def test_a_real_and_a_fake_person_alone_have_no_interval_of_an_imperfect_auc() -> None:
    labels = np.array([0, 0, 1, 1])
    groups = np.array(["a", "a", "b", "b"])
    found = _evaluate(labels, np.array([0.1, 0.6, 0.4, 0.9]), groups)
    assert found.auc == 0.75
    assert found.auc_ci is None
    assert any(note.startswith("no intervals") for note in found.notes)


def test_a_perfect_detector_has_the_bound_of_the_people_it_was_seen_on() -> None:
    labels = np.tile([0, 1], 12)
    groups = np.repeat([f"p{number}" for number in range(6)], 4)
    found = _evaluate(labels, np.where(labels, 0.9, 0.1), groups)
    # Six people make three pairs of a fake of one and a real of another, nobody in two.
    assert found.auc_ci == pytest.approx((0.025 ** (1 / 3), 1))
    assert found.intervals["recall"] == pytest.approx((0.025 ** (1 / 6), 1))
    assert found.intervals["false_alarm_rate"] == pytest.approx((0, 1 - 0.025 ** (1 / 6)))
    assert found.bounds["auc"] == 3
    assert "brier" not in found.bounds


def test_what_was_never_wrong_by_chance_alone_keeps_its_bootstrap() -> None:
    labels, probabilities = _noisy(60)
    found = _evaluate(labels, probabilities)
    assert found.bounds == {}


@pytest.mark.parametrize(("reals", "rate_1", "rate_01"), [(100, 0.5, 0.25), (10, 0.25, 0.25)])
def test_the_tpr_at_a_low_rate_allows_as_many_false_alarms_as_that(
    reals: int, rate_1: float, rate_01: float
) -> None:
    # Four fakes; the highest score is a fake's, then come one real, a fake and the rest.
    labels = np.array([1, 0, 1, *[0] * (reals - 1), 1, 1], np.uint8)
    found = _evaluate(labels, np.linspace(0.99, 0.01, len(labels)))
    assert found.tpr_at_1_percent_fpr == rate_1
    assert found.tpr_at_0_1_percent_fpr == rate_01
    (note,) = [note for note in found.notes if "TPR" in note]
    assert note.startswith(f"{reals} reals are too few")
    assert ("1% and 0.1%" in note) == (reals < 100)


def test_the_calibration_error_is_the_mean_distance_over_bins_of_equally_many() -> None:
    labels = np.tile([0, 1], 20)
    probabilities = np.where(np.arange(40) < 20, 0.1, 0.7) + np.arange(40) * 1e-6
    found = _evaluate(labels, probabilities)
    assert found.ece_bins == 4
    assert found.ece == pytest.approx((0.4 + 0.2) / 2, abs=1e-4)


def test_equal_scores_lie_in_one_bin_of_the_calibration_error() -> None:
    labels = np.tile([0, 1], 20)
    assert _evaluate(labels, np.full(40, 0.5)).ece == 0
    ordered = np.sort(labels)
    assert _evaluate(ordered, np.full(40, 0.5)).ece == 0


def test_several_clips_of_a_video_are_one_score_of_their_mean_logit() -> None:
    labels = np.array([0, 0, 1, 1, 1])
    probabilities = np.array([0.2, 0.8, 0.9, 0.6, 0.7])
    videos = np.array(["a", "a", "b", "b", "c"])
    found = _evaluate(labels, probabilities, videos, videos=videos)
    assert (found.videos, found.reals, found.fakes, found.clips) == (3, 1, 2, 5)
    # 0.2 and 0.8 cancel out, so no clip's false alarm is left.
    assert found.auc == 1
    assert found.per_clip is not None
    assert found.per_clip["values"]["auc"] == pytest.approx(4 / 6)
    assert _evaluate(labels, probabilities).per_clip is None


def test_qualities_are_told_where_there_are_several() -> None:
    labels = np.array([0, 1, 0, 1, 1])
    probabilities = np.array([0.2, 0.9, 0.6, 0.4, 0.3])
    quality = np.array(["c23", "c23", "c40", "c40", "raw"])
    found = _evaluate(
        labels, probabilities, kinds={"quality": quality, "codec": quality[:1][[0] * 5]}
    )
    assert set(found.by_quality) == {"c23", "c40", "raw"}
    assert found.by_quality["c40"]["auc"] == 0
    assert found.by_quality["c40"]["false_alarm_rate"] == 1
    assert found.by_quality["c40"]["bounds"]["false_alarm_rate"] == 1
    assert found.by_quality["raw"]["auc"] is None
    assert found.by_quality["raw"]["recall"] == 0
    assert found.by_codec == {}


def test_an_evaluation_of_an_earlier_version_is_still_read() -> None:
    now = _evaluate(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.2, 0.8])).to_json()
    added = {field.name for field in dataclasses.fields(Evaluation) if _has_default(field)}
    then = {name: value for name, value in now.items() if name not in added}
    then["by_method"] = {"Deepfakes": {"videos": 2, "auc": 1.0, "recall": 1.0}}
    found = pydantic.TypeAdapter(Evaluation).validate_json(json.dumps(then))
    assert found.auc == 1
    assert found.ece is None


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


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
        ScoredClips(
            labels,
            probabilities,
            np.arange(5).astype(str),
            np.array(["real", "real", "Deepfakes", "Deepfakes", "FaceSwap"]),
            np.array([1.0, 0.5, 0.8, 0.6, 1.0]),
        ),
        split="test",
        threshold=0.5,
        quarantined=3,
    )
    values = {
        method: {name: row[name] for name in ("videos", "auc", "recall")}
        for method, row in found.by_method.items()
    }
    assert values == {
        "Deepfakes": {"videos": 2, "auc": 1.0, "recall": 1.0},
        "FaceSwap": {"videos": 1, "auc": 0.5, "recall": 0.0},
    }
    low, high = found.by_method["FaceSwap"]["auc_ci"]
    assert low <= 0.5 <= high
    # Two fakes of two people, both found.
    assert found.by_method["Deepfakes"]["recall_ci"] == pytest.approx((0.025**0.5, 1))
    assert found.by_method["Deepfakes"]["bounds"] == {"auc": 2, "recall": 2}
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


def test_margins_of_earlier_versions_have_their_present_names() -> None:
    found = _evaluate(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.2, 0.8]))
    earlier = {"name": "sharpness", "ahead": 0.1, "ahead_ci": None, "pair_ahead": 0.2}
    again = dataclasses.replace(found, untrained=earlier)
    assert again.untrained == {
        "name": "sharpness",
        "margin": 0.1,
        "margin_ci": None,
        "pair_margin": 0.2,
    }
