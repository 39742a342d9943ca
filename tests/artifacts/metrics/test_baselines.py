from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from artifacts.metrics.baselines import (
    Orientation,
    compare_scores,
    compare_with_baseline,
    find_orientation,
)
from artifacts.metrics.ranking import RankedClips
from data_prep.store.store import Store


def test_the_direction_is_that_of_the_clips_it_is_asked_of(labelled_store: Path) -> None:
    with Store(labelled_store) as store:
        found = find_orientation(store, store.rows("train"), "some clips")
        assert found is not None
        assert found.signs["sharpness"] == -1
        assert found.clips == "some clips"
        assert find_orientation(store, store.rows("train", 0), "reals") is None


def test_a_detector_stands_beside_the_quantity_that_is_best(labelled_store: Path) -> None:
    with Store(labelled_store) as store:
        rows = store.rows("test")
        directions = find_orientation(store, store.rows("train"), "train")
        blind = compare_with_baseline(np.full(len(rows), 0.5), store, rows, directions)
        perfect = compare_with_baseline(store.labels[rows].astype(float), store, rows, directions)
    assert blind is not None
    assert perfect is not None
    # All fakes are their reals, blurrier.
    assert blind.name in ("sharpness", "noise", "contrast")
    assert not blind.higher_is_fake
    assert blind.auc == 1
    assert blind.untrained_pair_ranking == 1
    assert (blind.margin, blind.pair_ranking, blind.pair_margin) == (-0.5, 0.5, -0.5)
    # In no draw of people is this otherwise, so it has no interval of a bootstrap.
    assert blind.margin_ci is None
    assert blind.auc_ci == pytest.approx((0.025 ** (1 / 3), 1))
    assert perfect.pair_ranking_ci == pytest.approx((0.025 ** (1 / 6), 1))
    assert blind.pairs == 6
    assert perfect.margin == 0


def test_a_direction_that_does_not_hold_is_not_turned() -> None:
    labels = np.tile([0, 1], 6)
    good = labels + np.linspace(0, 0.1, 12)
    found = compare_scores(
        good,
        {"size": -good, "rate": good * 0},
        Orientation({"size": -1, "rate": 1}, "elsewhere"),
        RankedClips(labels, np.arange(12).astype(str), np.full(12, -1)),
    )
    assert (found.name, found.auc, found.margin) == ("rate", 0.5, 0.5)
    assert found.pair_ranking is None
    assert found.oriented_on == "elsewhere"


def test_without_quantities_there_is_nothing_to_compare_with(labelled_store: Path) -> None:
    with Store(labelled_store) as store:
        rows = store.rows("test")
        assert compare_with_baseline(np.zeros(len(rows)), store, rows, None) is None
        store.shortcuts = {}
        assert (
            compare_with_baseline(np.zeros(len(rows)), store, rows, Orientation({}, "none")) is None
        )
