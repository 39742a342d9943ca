from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from search.stages.ensemble_selection import DRAWS, select
from search.training.objectives import validation_score

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1], np.uint8)
Values = npt.NDArray[np.floating]


def order(probabilities: Values) -> tuple[float, float]:
    return validation_score(LABELS, probabilities).order


def noisy(seed: int, count: int = 100, skill: float = 1.0) -> tuple[Values, npt.NDArray[np.uint8]]:
    """Probabilities of a model whose mistakes are its own, and the labels all share."""
    labels = (np.arange(count) % 2).astype(np.uint8)
    logits = skill * (2.0 * labels - 1) + np.random.default_rng(seed).normal(size=count)
    return 1 / (1 + np.exp(-logits)), labels


def test_models_that_err_in_different_places_are_averaged() -> None:
    first = np.array([0.1, 0.2, 0.3, 0.7, 0.6, 0.7, 0.8, 0.9])
    second = np.array([0.1, 0.2, 0.3, 0.2, 0.8, 0.7, 0.1, 0.9])
    chosen = select([first, second], order, most=2)
    assert set(chosen) == {0, 1}
    assert sum(chosen.values()) == pytest.approx(1)
    mean = sum(weight * (first, second)[place] for place, weight in chosen.items())
    assert order(mean) < min(order(first), order(second))
    assert validation_score(LABELS, mean).auc == 1


def test_a_model_that_only_harms_is_left_out() -> None:
    good = np.linspace(0.1, 0.9, 8)
    assert select([1 - good, good], order, most=2) == {1: 1.0}


def test_equal_ensembles_go_to_fewer_members() -> None:
    good = np.linspace(0.1, 0.9, 8)
    assert select([good, good.copy(), good.copy()], order, most=3) == {0: 1.0}


def test_a_better_model_is_drawn_more_than_once() -> None:
    values, labels = zip(
        *(noisy(seed, skill=skill) for seed, skill in ((1, 1.4), (2, 0.7))), strict=True
    )
    chosen = select(list(values), lambda p: validation_score(labels[0], p).order, most=2)
    assert chosen[0] > chosen[1] > 0
    assert list(chosen) == [0, 1]


@pytest.mark.parametrize("most", [1, 2, 4])
def test_no_more_members_than_asked_and_never_worse_than_the_best(most: int) -> None:
    values, labels = zip(*(noisy(seed, skill=0.8) for seed in range(8)), strict=True)

    def merit(p: Values) -> tuple[float, float]:
        return validation_score(labels[0], p).order

    chosen = select(list(values), merit, most)
    assert 1 <= len(chosen) <= most
    mean = np.sum([weight * values[place] for place, weight in chosen.items()], axis=0)
    assert merit(mean) <= min(map(merit, values))
    smallest = min(chosen.values())
    assert smallest >= 1 / DRAWS
    if most > 1:
        assert len(chosen) > 1
        assert merit(mean) < min(map(merit, values))


def test_one_candidate_is_chosen_alone_and_none_is_refused() -> None:
    assert select([np.linspace(0, 1, 8)], order, most=5) == {0: 1.0}
    with pytest.raises(ValueError, match="no model to choose from"):
        select([], order, most=5)


def test_the_order_of_the_candidates_does_not_change_the_choice() -> None:
    values, labels = zip(*(noisy(seed, skill=0.8) for seed in range(5)), strict=True)

    def merit(p: Values) -> tuple[float, float]:
        return validation_score(labels[0], p).order

    forth = select(list(values), merit, 3)
    back = select(list(values[::-1]), merit, 3)
    assert {4 - place: weight for place, weight in back.items()} == forth


def test_it_needs_no_tensorflow() -> None:
    code = "import sys, search.stages.ensemble_selection\nassert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
