from __future__ import annotations

import keras
import numpy as np
import pytest

from spaces.training.losses import PairwiseLoss, make_loss
from spaces.training.names import LOSSES, PAIRWISE

LABELS = np.array([[0], [1], [1], [0]], np.float32)
ANSWERS = np.array([[0.3], [0.6], [0.9], [0.2]], np.float32)


def given(labels: np.ndarray, sources: list[int], loss: str = PAIRWISE) -> np.ndarray:
    """Labels as a loss takes them."""
    return np.column_stack([labels, sources]).astype(np.float32) if loss == PAIRWISE else labels


def crossentropy(labels: np.ndarray, answers: np.ndarray) -> float:
    return float(-np.mean(labels * np.log(answers) + (1 - labels) * np.log(1 - answers)))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_batch_of_one_label_gives_a_finite_loss_that_falls_as_answers_get_better(
    loss: str, label: float
) -> None:
    labels = given(np.full((3, 1), label, np.float32), [0, 0, 1], loss)
    worse, better = (
        float(make_loss(loss)(labels, np.full((3, 1), answer, np.float32)))
        for answer in (0.5, 0.4 + 0.2 * label)
    )
    assert np.isfinite([worse, better]).all()
    assert better < worse


def test_without_a_pair_the_pairwise_loss_is_cross_entropy() -> None:
    found = float(make_loss(PAIRWISE)(given(LABELS, [0, 1, 2, 3]), ANSWERS))
    assert found == pytest.approx(crossentropy(LABELS, ANSWERS), rel=1e-5)


def test_a_pair_adds_how_far_the_fake_is_from_ranking_above_its_clip() -> None:
    # Sample 1 is a fake of clip 0, sample 2 one of clip 3.
    found = float(make_loss(PAIRWISE)(given(LABELS, [7, 7, 3, 3]), ANSWERS))
    logits = np.log(ANSWERS / (1 - ANSWERS)).ravel()
    gaps = np.array([logits[1] - logits[0], logits[2] - logits[3]])
    ranked = np.log1p(np.exp(-gaps)).mean()
    assert found == pytest.approx(crossentropy(LABELS, ANSWERS) + ranked, rel=1e-5)


def test_fakes_of_one_clip_are_not_ranked_among_each_other() -> None:
    labels = np.array([[1], [1]], np.float32)
    answers = np.array([[0.9], [0.1]], np.float32)
    found = float(make_loss(PAIRWISE)(given(labels, [0, 0]), answers))
    assert found == pytest.approx(crossentropy(labels, answers), rel=1e-5)


def test_sure_answers_give_a_finite_loss_and_gradient() -> None:
    import tensorflow as tf

    answers = tf.Variable([[1.0], [0.0]])
    with tf.GradientTape() as tape:
        loss = make_loss(PAIRWISE)(given(np.array([[0], [1]], np.float32), [0, 0]), answers)
    assert np.isfinite(loss.numpy())
    assert np.isfinite(tape.gradient(loss, answers).numpy()).all()


def test_focal_loss_cares_less_for_what_is_easy() -> None:
    def of(loss: str, answer: float) -> float:
        one = np.ones((1, 1), np.float32)
        return float(make_loss(loss)(one, answer * one))

    easy, hard = (of("focal", answer) / of("binary_crossentropy", answer) for answer in (0.9, 0.1))
    assert easy == pytest.approx(0.1**2, rel=1e-3)
    assert hard == pytest.approx(0.9**2, rel=1e-3)


def test_the_pairwise_loss_comes_back_from_its_configuration() -> None:
    loss = PairwiseLoss(label_smoothing=0.1)
    back = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(back, PairwiseLoss)
    batch = given(LABELS, [7, 7, 3, 3])
    assert float(back(batch, ANSWERS)) == float(loss(batch, ANSWERS))


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(ValueError, match="'hinge'"):
        make_loss("hinge")
