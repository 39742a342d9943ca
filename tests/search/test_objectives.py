from __future__ import annotations

import numpy as np
import pytest

from search.objectives import ValidationScore, validation_score

LABELS = np.array([0, 0, 1, 1], np.uint8)


def test_a_perfect_ranking_has_auc_one() -> None:
    assert validation_score(LABELS, np.array([0.1, 0.2, 0.8, 0.9])).auc == 1.0


def test_a_constant_score_is_chance() -> None:
    score = validation_score(LABELS, np.full(4, 0.5))
    assert score.auc == 0.5
    assert score.log_loss == pytest.approx(np.log(2))


def test_log_loss_weighs_both_labels_equally() -> None:
    labels = np.array([0, 1, 1, 1], np.uint8)
    score = validation_score(labels, np.array([0.5, 0.9, 0.9, 0.9]))
    assert score.log_loss == pytest.approx((np.log(2) - np.log(0.9)) / 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_probability_that_is_no_number_is_divergence(bad: float) -> None:
    with pytest.raises(FloatingPointError, match="diverged"):
        validation_score(LABELS, np.array([0.1, bad, 0.3, 0.4]))


def test_order_puts_high_auc_first_then_low_log_loss() -> None:
    scores = [ValidationScore(0.9, 0.1), ValidationScore(1.0, 0.5), ValidationScore(1.0, 0.2)]
    assert sorted(scores, key=lambda s: s.order) == [scores[2], scores[1], scores[0]]
