"""The exact bound of a figure that no draw of people changes."""

from __future__ import annotations

import networkx as nx
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from artifacts.metrics.bounds import apply_bounds, independent_pairs, widen_interval

Array = npt.NDArray[np.int64]

# Each clip: the person on it, and whether it is a fake.
CLIPS = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=30)


def _columns(clips: list[tuple[int, bool]]) -> tuple[Array, npt.NDArray[np.str_]]:
    people, fakes = zip(*clips, strict=True)
    return np.array(fakes, np.int64), np.array([f"person {number}" for number in people])


@given(st.integers(1, 5000))
def test_of_people_all_judged_alike_it_is_the_interval_of_clopper_and_pearson(people: int) -> None:
    for right, value in ((people, 1.0), (0, 0.0)):
        exact = stats.binomtest(right, people).proportion_ci(0.95, method="exact")
        assert widen_interval((value, value), value, people) == pytest.approx(
            (exact.low, exact.high)
        )


@given(st.floats(0, 1), st.floats(1e-6, 1), st.integers(0, 100))
def test_an_interval_that_has_a_width_stays(low: float, width: float, people: int) -> None:
    interval = low, low + width
    assert widen_interval(interval, low, people) is interval
    assert widen_interval(None, low, people) is None


@pytest.mark.parametrize(("value", "people"), [(0.5, 10), (0.99, 10), (1.0, 0), (0.0, 0)])
def test_what_is_no_share_or_was_wrong_somewhere_has_none(value: float, people: int) -> None:
    assert widen_interval((value, value), value, people) is None


@given(CLIPS)
def test_so_many_pairs_of_a_fake_and_a_real_of_another_person_can_be_made(
    clips: list[tuple[int, bool]],
) -> None:
    can = nx.Graph(
        (one, other)
        for one, is_fake in clips
        for other, is_other_fake in clips
        if one != other and is_fake and not is_other_fake
    )
    most = len(nx.max_weight_matching(can, maxcardinality=True))
    assert independent_pairs(*_columns(clips)) == most


@given(st.integers(1, 40), st.integers(1, 4))
def test_a_person_counts_once_however_many_clips_there_are(people: int, clips: int) -> None:
    groups = np.repeat([f"person {number}" for number in range(people)], 2 * clips)
    labels = np.tile([0, 1], people * clips)
    values = {"recall": 1.0, "false_alarm_rate": 0.0, "precision": 1.0, "brier": 0.01}
    given_intervals = {name: (value, value) for name, value in values.items()}
    found, bounds = apply_bounds(values, given_intervals, labels, groups, labels == 1)
    least = 0.025 ** (1 / people)
    assert found["recall"] == found["precision"] == pytest.approx((least, 1))
    assert found["false_alarm_rate"] == pytest.approx((0, 1 - least))
    assert found["brier"] is None
    assert bounds == dict.fromkeys(("recall", "false_alarm_rate", "precision"), people)


def test_a_figure_whose_draws_differ_keeps_its_interval_and_is_told_as_no_bound() -> None:
    labels, groups = np.array([0, 1, 0, 1]), np.array(list("aabb"))
    found, bounds = apply_bounds({"auc": 0.8}, {"auc": (0.7, 0.9)}, labels, groups, labels == 1)
    assert (found, bounds) == ({"auc": (0.7, 0.9)}, {})


def test_the_bound_of_f1_is_that_of_the_share_of_right_calls_it_follows_from() -> None:
    # Ten people, each a fake and called so: F1 follows from right calls among fakes and calls.
    labels, groups = np.ones(10, np.int64), np.array(list("abcdefghij"))
    found, bounds = apply_bounds({"f1": 1.0}, {"f1": (1.0, 1.0)}, labels, groups, labels == 1)
    assert bounds == {"f1": 10}
    share, interval = 0.025**0.1, found["f1"]
    assert interval == pytest.approx((2 * share / (1 + share), 1))
    calls = np.array([0, 0, 0, *[1] * 7])
    jaccard = metrics.jaccard_score(labels, calls)
    assert metrics.f1_score(labels, calls) == pytest.approx(2 * jaccard / (1 + jaccard))
