from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from artifacts.ranking import figures, pair_ranking, source_places

# Real 0 has fakes 2 and 3, real 1 has fake 4; fake 5 is of nobody here.
SOURCES = np.array([-1, -1, 0, 0, 1, -1])
LABELS = np.array([0, 0, 1, 1, 1, 1])
GROUPS = np.array(["a", "b", "a", "a", "b", "c"])


def test_sources_are_found_by_key() -> None:
    keys = np.array(["real/a", "real/b", "fake/a", "fake/x"])
    places = source_places(keys, np.array(["", "", "real/a", "real/x"]))
    assert places.tolist() == [-1, -1, 0, -1]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.1, 0.5, 0.2, 0.3, 0.6, 0.0], 1.0),
        ([0.1, 0.5, 0.2, 0.0, 0.6, 0.0], 0.75),
        ([0.1, 0.5, 0.2, 0.3, 0.4, 0.9], 0.5),
        ([0.1, 0.5, 0.1, 0.0, 0.5, 0.9], (0.25 + 0.5) / 2),
        ([0.9, 0.9, 0.1, 0.2, 0.3, 0.9], 0.0),
    ],
)
def test_pair_ranking_is_the_mean_over_source_videos(scores: list[float], expected: float) -> None:
    assert pair_ranking(np.array(scores), SOURCES) == pytest.approx(expected)
    found = figures(np.array(scores), LABELS, GROUPS, SOURCES)
    assert found["pairs"].value == pytest.approx(expected)


def test_no_pair_has_no_ranking() -> None:
    none = np.full(6, -1)
    assert pair_ranking(np.arange(6.0), none) is None
    assert "pairs" not in figures(np.arange(6.0), LABELS, GROUPS, none)


def many(seed: int = 0) -> tuple[np.ndarray, ...]:
    """Two hundred clips of forty people: labels, groups, sources, a good and a poor score."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(40), 5)
    labels = np.tile([0, 1, 1, 1, 0], 40)
    sources = np.where(labels == 1, 5 * person, -1)
    good = np.round(labels + rng.normal(0, 0.8, 200), 1)
    poor = np.round(0.2 * labels + rng.normal(0, 1, 200), 1)
    return labels, np.array([f"p{one}" for one in person]), sources, good, poor


def test_the_auc_is_scikit_learns_with_ties_and_over_trainings() -> None:
    labels, groups, sources, good, poor = many()
    found = figures(np.stack([good, poor]), labels, groups, sources)
    expected = [metrics.roc_auc_score(labels, scores) for scores in (good, poor)]
    assert found["auc"].value == pytest.approx(np.mean(expected))


def test_weights_of_people_are_as_good_as_repeated_clips() -> None:
    labels, groups, sources, good, _ = many()
    twice = np.concatenate([np.arange(200), np.flatnonzero(groups == "p3")])
    from artifacts.ranking import _Auc

    _, first, person = np.unique(groups, return_index=True, return_inverse=True)
    weights = np.where(groups == "p3", 2, 1)[first]
    measured = _Auc(good[None], labels, person, len(first), sources)(weights)
    assert measured[0] == pytest.approx(metrics.roc_auc_score(labels[twice], good[twice]))


def test_a_difference_is_paired() -> None:
    labels, groups, sources, good, poor = many()
    found = figures(good, labels, groups, sources, against=poor)
    alone = figures(poor, labels, groups, sources)
    for name in ("auc", "pairs"):
        ahead = found[f"{name} ahead"]
        assert ahead.value == pytest.approx(found[name].value - alone[name].value)
        low, high = ahead.interval
        assert low < ahead.value < high
        assert low > 0
    same = figures(good, labels, groups, sources, against=good)
    assert same["auc ahead"].interval == (0.0, 0.0)


def test_trainings_that_differ_widen_the_interval() -> None:
    labels, groups, sources, good, poor = many()
    alike = figures(np.stack([good, good]), labels, groups, sources)["auc"].interval
    apart = figures(np.stack([good, poor]), labels, groups, sources)["auc"].interval
    assert apart[1] - apart[0] > 1.5 * (alike[1] - alike[0])


def test_one_group_of_people_has_no_interval() -> None:
    found = figures(np.arange(6.0), LABELS, np.array(["a"] * 6), SOURCES, against=np.zeros(6))
    assert {figure.interval for figure in found.values()} == {None}


def test_each_method_has_its_auc_against_all_reals() -> None:
    methods = np.array(["real", "real", "swap", "swap", "paint", "paint"])
    scores = np.array([0.1, 0.5, 0.6, 0.7, 0.2, 0.0])
    found = figures(scores, LABELS, GROUPS, SOURCES, methods)
    assert found["auc of swap"].value == 1.0
    assert found["auc of paint"].value == 0.25


def test_scores_that_cannot_be_judged_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        figures(np.array([0, 0, 1, 1, 1, np.nan]), LABELS, GROUPS, SOURCES)
    with pytest.raises(ValueError, match="one label"):
        figures(np.arange(2.0), LABELS[:2], GROUPS[:2], SOURCES[:2])
