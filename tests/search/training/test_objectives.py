from __future__ import annotations

import numpy as np
import pytest

from search.training.objectives import ValidationScore, method_auc, over_methods, validation_score

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


def test_pseudo_fakes_are_ranked_against_all_clips_and_against_their_own() -> None:
    # Two real clips, 0.1 and 0.6, with two pseudo-fakes each.
    labels = np.array([0, 1, 0, 1], np.uint8)
    probabilities = np.array([0.1, 0.5, 0.6, 0.7])
    score = validation_score(labels, probabilities, np.array([[0.2, 0.6], [0.05, 0.9]]))
    assert score.auc == 0.75
    # Of the 8 ways to pair a real clip with any pseudo-fake: 3 above 0.1; 1 above 0.6, and 1 equal.
    assert score.pseudo_auc == pytest.approx(4.5 / 8)
    # Above their own: 0.2, 0.9; equal: 0.6; below: 0.05.
    assert score.pair_ranking == pytest.approx(2.5 / 4)
    assert score.value == pytest.approx((0.75 + 4.5 / 8 + 2.5 / 4) / 3)
    assert score.log_loss == validation_score(labels, probabilities).log_loss


def test_without_pseudo_fakes_the_auc_is_the_value_and_tables_have_no_more() -> None:
    score = validation_score(LABELS, np.array([0.1, 0.7, 0.6, 0.9]))
    assert score.value == score.auc == 0.75
    assert set(score.row) == {"val_auc", "val_log_loss"}
    empty = validation_score(LABELS, np.array([0.1, 0.7, 0.6, 0.9]), np.empty((0, 2)))
    assert empty == score
    whole = ValidationScore(0.5, 0.1, 0.6, 0.7)
    assert set(whole.row) == {"val_auc", "val_log_loss", "val_pseudo_auc", "val_pair_ranking"}


def test_a_pseudo_fake_that_is_no_number_is_divergence() -> None:
    with pytest.raises(FloatingPointError, match="diverged"):
        validation_score(LABELS, np.array([0.1, 0.2, 0.3, 0.4]), np.array([[0.1, np.nan]]))


def test_order_follows_the_value_not_the_auc() -> None:
    scores = [ValidationScore(0.9, 0.1, 0.5, 0.5), ValidationScore(0.6, 0.5, 0.9, 0.9)]
    assert min(scores, key=lambda s: s.order) == scores[1]


def test_log_loss_as_objective_is_the_better_the_lower() -> None:
    sure, unsure = (
        validation_score(LABELS, np.array(said), objective="log_loss")
        for said in ([0.4, 0.1, 0.9, 0.9], [0.4, 0.45, 0.5, 0.5])
    )
    assert sure.auc == unsure.auc
    assert sure.value == -sure.log_loss
    assert sorted([unsure, sure], key=lambda score: score.order) == [sure, unsure]
    assert "objective" not in sure.row


def test_a_method_is_scored_against_all_reals_and_no_other_fakes() -> None:
    methods = np.array(["real", "real", "Drawn", "Painted"])
    said = np.array([0.1, 0.6, 0.5, 0.9])
    assert method_auc(LABELS, methods, said, "Drawn") == 0.5
    assert method_auc(LABELS, methods, said, "Painted") == 1.0


def test_the_worst_method_counts_or_their_mean() -> None:
    found = {"Drawn": 0.5, "Painted": 1.0}
    assert over_methods("leave-one-method-out", found) == 0.5
    assert over_methods("leave-one-method-out-mean", found) == 0.75
