from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from artifacts.metrics.ranking import (
    Figure,
    RankedClips,
    _Auc,
    _Clips,
    compute_figures,
    find_originals,
    pair_ranking,
)

# Real 0 has fakes 2 and 3, real 1 has fake 4; fake 5 is of nobody here.
SOURCES = np.array([-1, -1, 0, 0, 1, -1])
LABELS = np.array([0, 0, 1, 1, 1, 1])
GROUPS = np.array(["a", "b", "a", "a", "b", "c"])


def test_sources_are_found_by_key() -> None:
    keys = np.array(["real/a", "real/b", "fake/a", "fake/x"])
    positions = find_originals(keys, np.array(["", "", "real/a", "real/x"]))
    assert positions.tolist() == [-1, -1, 0, -1]


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
    found = compute_figures(np.array(scores), RankedClips(LABELS, GROUPS, SOURCES))
    assert found["pairs"].value == pytest.approx(expected)


def test_no_pair_has_no_ranking() -> None:
    none = np.full(6, -1)
    assert pair_ranking(np.arange(6.0), none) is None
    assert "pairs" not in compute_figures(np.arange(6.0), RankedClips(LABELS, GROUPS, none))


def test_a_video_that_comes_for_each_of_its_fakes_counts_once() -> None:
    # Video x has three fakes, each beside a copy of its own; video y has one.
    sources = np.array([1, -1, 3, -1, 5, -1, 7, -1])
    videos = np.array(["f", "x", "g", "x", "h", "x", "i", "y"])
    scores = np.array([0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.1, 0.9])
    assert pair_ranking(scores, sources) == 0.75
    assert pair_ranking(scores, sources, videos) == 0.5
    labels, groups = np.tile([1, 0], 4), np.array(list("aaaaaabb"))
    assert (
        compute_figures(scores, RankedClips(labels, groups, sources, videos=videos))["pairs"].value
        == 0.5
    )


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
    found = compute_figures(np.stack([good, poor]), RankedClips(labels, groups, sources))
    expected = [metrics.roc_auc_score(labels, scores) for scores in (good, poor)]
    assert found["auc"].value == pytest.approx(np.mean(expected))


def test_weights_of_people_are_as_good_as_repeated_clips() -> None:
    labels, groups, sources, good, _ = many()
    twice = np.concatenate([np.arange(200), np.flatnonzero(groups == "p3")])
    _, first = np.unique(groups, return_index=True)
    weights = np.where(groups == "p3", 2, 1)[first]
    clips = _Clips(labels, groups, sources, np.zeros(200, np.int64), np.arange(200))
    measured = _Auc(good[None], clips)(weights)
    assert measured[0] == pytest.approx(metrics.roc_auc_score(labels[twice], good[twice]))


def test_a_difference_is_paired() -> None:
    labels, groups, sources, good, poor = many()
    found = compute_figures(good, RankedClips(labels, groups, sources), against=poor)
    alone = compute_figures(poor, RankedClips(labels, groups, sources))
    for name in ("auc", "pairs"):
        margin = found[f"{name} margin"]
        assert margin.value == pytest.approx(found[name].value - alone[name].value)
        low, high = margin.interval
        assert low < margin.value < high
        assert low > 0
    same = compute_figures(good, RankedClips(labels, groups, sources), against=good)
    # No draw tells scores from themselves, so none tells how far apart they may be.
    assert same["auc margin"] == Figure(0.0, None)


def test_trainings_that_differ_widen_the_interval() -> None:
    labels, groups, sources, good, poor = many()
    alike = compute_figures(np.stack([good, good]), RankedClips(labels, groups, sources))[
        "auc"
    ].interval
    apart = compute_figures(np.stack([good, poor]), RankedClips(labels, groups, sources))[
        "auc"
    ].interval
    assert apart[1] - apart[0] > 1.5 * (alike[1] - alike[0])


def test_few_people_have_no_interval() -> None:
    labels, groups, sources, good, poor = many()
    for people, known in ((4, False), (5, True)):
        rows = np.arange(5 * people)
        found = compute_figures(
            good[rows], RankedClips(labels[rows], groups[rows], sources[rows]), against=poor[rows]
        )
        assert {figure.interval is not None for figure in found.values()} == {known}


def test_folds_are_compared_within_themselves() -> None:
    labels, groups, sources, good, _ = many()
    folds = np.arange(200) // 100
    # One detector calls everything more fake than the other does.
    shifted = good + 10 * folds
    found = compute_figures(shifted, RankedClips(labels, groups, sources, folds=folds))
    expected = np.mean(
        [metrics.roc_auc_score(labels[folds == fold], good[folds == fold]) for fold in (0, 1)]
    )
    assert found["auc"].value == pytest.approx(expected)
    assert (
        compute_figures(shifted, RankedClips(labels, groups, sources))["auc"].value < expected - 0.1
    )


def test_each_method_has_its_auc_against_all_reals() -> None:
    methods = np.array(["real", "real", "swap", "swap", "paint", "paint"])
    scores = np.array([0.1, 0.5, 0.6, 0.7, 0.2, 0.0])
    found = compute_figures(scores, RankedClips(LABELS, GROUPS, SOURCES, methods))
    assert found["auc of swap"].value == 1.0
    assert found["auc of paint"].value == 0.25


def test_scores_that_cannot_be_judged_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        compute_figures(np.array([0, 0, 1, 1, 1, np.nan]), RankedClips(LABELS, GROUPS, SOURCES))
    with pytest.raises(ValueError, match="one label"):
        compute_figures(np.arange(2.0), RankedClips(LABELS[:2], GROUPS[:2], SOURCES[:2]))
