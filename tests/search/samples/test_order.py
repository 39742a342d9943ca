from __future__ import annotations

import numpy as np
import pytest

from search.samples.order import balanced_order, paired_order, sample_by_frequency, whole_order


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_place_is_drawn_as_often_as_it_is_due_rounded_up_or_down(
    rng: np.random.Generator,
) -> None:
    frequency = np.array([0.05, 0.25, 0.0, 0.7])
    counts = np.bincount(sample_by_frequency(frequency, 10, rng), minlength=4)
    due = frequency * 10
    assert counts.sum() == 10
    assert (np.abs(counts - due) < 1).all()
    assert counts[2] == 0
    many = (
        sum(np.bincount(sample_by_frequency(frequency, 10, rng), minlength=4) for _ in range(400))
        / 400
    )
    np.testing.assert_allclose(many, due, atol=0.1)


def test_reals_and_fakes_come_in_turn_so_that_every_batch_has_both(
    rng: np.random.Generator,
) -> None:
    labels = np.array([0] * 3 + [1] * 20, np.uint8)
    order = balanced_order(labels, np.ones(23), 23, rng)
    assert len(order) == 24
    assert (labels[order].reshape(-1, 2) == [0, 1]).all()
    np.testing.assert_array_equal(np.bincount(order, minlength=23)[:3], 4)


@pytest.mark.parametrize("label", [0, 1])
def test_a_label_without_samples_leaves_all_to_the_other(
    label: int, rng: np.random.Generator
) -> None:
    labels = np.full(5, label, np.uint8)
    sources = np.arange(5)
    assert sorted(balanced_order(labels, np.ones(5), 5, rng)) == [0, 1, 2, 3, 4]
    assert sorted(paired_order(labels, np.ones(5), sources, 5, rng)) == [0, 1, 2, 3, 4]
    assert sorted(whole_order(labels, 5, rng)) == [0, 1, 2, 3, 4]


def test_what_is_due_never_is_never_shown(rng: np.random.Generator) -> None:
    labels = np.array([0, 0, 1, 1, 1], np.uint8)
    frequency = np.array([1, 0, 1, 1, 0])
    sources = np.array([0, 1, 0, 1, 1])
    for _ in range(20):
        assert set(balanced_order(labels, frequency, 5, rng)) == {0, 2, 3}
        assert set(paired_order(labels, frequency, sources, 5, rng)) <= {0, 2, 3}


def test_a_fake_stands_beside_the_clip_it_was_made_from(rng: np.random.Generator) -> None:
    labels = np.array([0] * 10 + [1] * 30, np.uint8)
    sources = np.arange(40) % 10
    order = paired_order(labels, np.ones(40), sources, 40, rng)
    assert (labels[order].reshape(-1, 2) == [0, 1]).all()
    pairs = sources[order].reshape(-1, 2)
    assert (pairs[:, 0] == pairs[:, 1]).all()


def test_who_has_no_partner_comes_up_all_the_same(rng: np.random.Generator) -> None:
    for labels, sources in (([0, 0, 1], [0, 1, 0]), ([0, 1, 1], [0, 0, 1])):
        given = np.array(labels, np.uint8), np.ones(3), np.array(sources), 3
        assert set(np.concatenate([paired_order(*given, rng) for _ in range(30)])) == {0, 1, 2}


def test_the_whole_has_every_sample_once_and_the_rarer_label_spread_out(
    rng: np.random.Generator,
) -> None:
    labels = np.array([0] * 5 + [1] * 45, np.uint8)
    order = whole_order(labels, 50, rng)
    assert sorted(order) == list(range(50))
    assert (labels[order].reshape(5, 10) == 0).sum(axis=1).tolist() == [1] * 5
    assert (whole_order(labels, 50, rng) != order).any()


@pytest.mark.parametrize("count", [2, 7, 10, 64, 1001])
def test_an_order_is_as_long_as_asked_and_no_sample_comes_twice_before_all_have_come(
    rng: np.random.Generator, count: int
) -> None:
    labels, sources = np.array([0] * 3 + [1] * 7, np.uint8), np.zeros(10, np.int64)
    order = whole_order(labels, count, rng)
    assert len(order) == count
    shown = np.bincount(order, minlength=10)
    assert shown.max() - shown.min() <= 1
    for pairs in (
        balanced_order(labels, np.ones(10), count, rng),
        paired_order(labels, np.ones(10), sources, count, rng),
    ):
        assert len(pairs) == count + count % 2
        assert (labels[pairs] == 0).mean() == 0.5
