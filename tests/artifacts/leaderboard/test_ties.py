"""Models are held against the best on the same draws of people."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics

from artifacts.leaderboard import ties
from data_prep.bootstrap import group_intervals

PEOPLE, CLIPS = 40, 4
LABELS = np.tile(np.array([0, 1, 1, 0], np.uint8), PEOPLE)
GROUPS = np.repeat([f"person{number}" for number in range(PEOPLE)], CLIPS)

Scores = npt.NDArray[np.float64]


def _scores(strength: float, seed: int) -> Scores:
    """Of a detector that is right more often the stronger it is; rounded, so that some tie."""
    noise = np.random.default_rng(seed).normal(size=len(LABELS))
    return np.round(strength * LABELS + noise, 1)


MODELS = {"best": _scores(2.0, 0), "close": _scores(1.9, 1), "far": _scores(0.3, 2)}


def test_aucs_are_those_of_scikit_learn_also_with_equal_scores() -> None:
    found = ties.aucs(np.stack(list(MODELS.values())), LABELS)
    expected = [metrics.roc_auc_score(LABELS, scores) for scores in MODELS.values()]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_the_equal_error_rate_lies_where_both_errors_are_the_same(name: str) -> None:
    scores = MODELS[name]
    found = ties.equal_error_rate(scores, LABELS)
    alarms, hits, _ = metrics.roc_curve(LABELS, scores, drop_intermediate=False)
    assert np.interp(found, alarms, hits) == pytest.approx(1 - found, abs=1e-9)


def test_a_perfect_and_a_perverse_model_have_the_rates_they_should() -> None:
    labels = np.array([0, 0, 1, 1])
    assert ties.equal_error_rate(np.array([0.1, 0.2, 0.8, 0.9]), labels) == 0
    assert ties.equal_error_rate(np.array([0.9, 0.8, 0.2, 0.1]), labels) == 1
    assert ties.equal_error_rate(np.full(4, 0.5), labels) == 0.5


def test_what_is_within_noise_is_tied_and_what_is_far_below_is_not() -> None:
    found = ties.standings(MODELS, LABELS, GROUPS, "best")
    assert [found[name].tied for name in MODELS] == [True, True, False]
    for name, scores in MODELS.items():
        assert found[name].auc == pytest.approx(metrics.roc_auc_score(LABELS, scores))
        assert found[name].interval is not None
        assert found[name].interval[0] < found[name].auc < found[name].interval[1]


def test_the_difference_is_taken_within_each_draw() -> None:
    # Always a little behind on the very clips on which both stumble: far closer than either's
    # interval, and yet below in every draw.
    best = MODELS["best"]
    behind = np.where(LABELS == 1, best - 0.1, best)
    found = ties.standings({"best": best, "behind": behind}, LABELS, GROUPS, "best")
    assert found["behind"].interval is not None
    assert found["best"].interval is not None
    assert found["behind"].interval[1] > found["best"].interval[0]
    assert found["behind"].tied is False


def test_a_model_above_the_best_in_auc_is_tied_with_it() -> None:
    found = ties.standings(MODELS, LABELS, GROUPS, "far")
    assert all(standing.tied for standing in found.values())


def test_intervals_are_those_of_the_bootstrap_over_people() -> None:
    fakes, reals = MODELS["close"][LABELS == 1], MODELS["close"][LABELS == 0]
    won = (fakes[:, None] > reals) + 0.5 * (fakes[:, None] == reals)

    def auc(weights: npt.NDArray[np.integer]) -> dict[str, float]:
        of_fakes, of_reals = weights[LABELS == 1], weights[LABELS == 0]
        return {"auc": float(of_fakes @ won @ of_reals / (of_fakes.sum() * of_reals.sum()))}

    expected = group_intervals(auc, LABELS, GROUPS, 0)["auc"]
    found = ties.standings(MODELS, LABELS, GROUPS, "best")["close"].interval
    assert found == pytest.approx(expected)


def test_the_same_scores_have_the_same_answers() -> None:
    first, second = (ties.standings(MODELS, LABELS, GROUPS, "best") for _ in range(2))
    assert first == second


def test_few_people_and_no_best_leave_it_open() -> None:
    few = np.array([f"person{number % 4}" for number in range(len(LABELS))])
    found = ties.standings(MODELS, LABELS, few, "best")["close"]
    assert (found.interval, found.tied) == (None, None)
    assert found.auc > 0.5
    without = ties.standings(MODELS, LABELS, GROUPS, None)["close"]
    assert without.interval is not None
    assert without.tied is None
    assert ties.standings({}, LABELS, GROUPS, None) == {}


def test_a_perfect_model_has_an_interval_that_knows_how_few_people_there_were() -> None:
    perfect = {"perfect": LABELS.astype(np.float64)}
    (found,) = ties.standings(perfect, LABELS, GROUPS, "perfect").values()
    assert found.interval is not None
    assert 0.5 < found.interval[0] < 1.0 == found.interval[1]
