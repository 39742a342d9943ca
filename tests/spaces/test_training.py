"""The training space offers the original recipe, and what it answers is what trains."""

from __future__ import annotations

import keras
import keras_tuner
import numpy as np
import pytest

from spaces.training import OPTIMIZERS, TrainingChoices, compile_detector, training_space


def _tiny() -> keras.Model:
    x = keras.Input((3,))
    y = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="zeros")(x)
    return keras.Model(x, y)


def test_the_defaults_of_the_space_are_the_recipe() -> None:
    assert training_space(keras_tuner.HyperParameters(), max_epochs=20) == TrainingChoices()


def test_weight_decay_is_searched_for_adamw_alone() -> None:
    hp = keras_tuner.HyperParameters()
    training_space(hp, max_epochs=20)
    assert "weight_decay" not in hp.values

    hp = keras_tuner.HyperParameters()
    hp.values.update({"optimizer": "adamw", "weight_decay": 0.005})
    assert training_space(hp, max_epochs=20).weight_decay == 0.005


def test_every_choice_is_taken_from_the_answers() -> None:
    asked = {
        "optimizer": "sgd",
        "learning_rate": 0.002,
        "schedule": "cosine",
        "batch_size": 8,
        "epochs": 7,
        "label_smoothing": 0.04,
        "balanced": False,
        "augment": True,
    }
    hp = keras_tuner.HyperParameters()
    hp.values.update(asked)
    assert training_space(hp, max_epochs=20) == TrainingChoices(**asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_detector_compiles_with_each_optimizer_and_learns(optimizer: str) -> None:
    model = _tiny()
    compile_detector(model, TrainingChoices(optimizer=optimizer, learning_rate=0.1), 4)
    assert type(model.optimizer).__name__.lower() == optimizer
    assert model.optimizer.built
    x, y = np.eye(3, dtype=np.float32), np.array([[1], [0], [1]], np.float32)
    losses = [model.train_on_batch(x, y) for _ in range(5)]
    assert losses[-1] < losses[0]


def test_a_constant_schedule_stays_and_a_cosine_ends_at_nothing() -> None:
    model = _tiny()
    choices = TrainingChoices(learning_rate=0.01, epochs=3)
    compile_detector(model, choices, steps_per_epoch=4)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)

    choices = TrainingChoices(learning_rate=0.01, epochs=3, schedule="cosine")
    compile_detector(model, choices, steps_per_epoch=4)
    x, y = np.eye(3, dtype=np.float32), np.ones((3, 1), np.float32)
    rates = [float(model.optimizer.learning_rate)]
    for _ in range(12):
        model.train_on_batch(x, y)
        rates.append(float(model.optimizer.learning_rate))
    assert rates[0] == pytest.approx(0.01)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-8)


def test_weight_decay_reaches_adamw() -> None:
    model = _tiny()
    compile_detector(model, TrainingChoices(optimizer="adamw", weight_decay=0.003), 4)
    assert model.optimizer.weight_decay == 0.003


def test_label_smoothing_softens_the_loss_of_a_sure_answer() -> None:
    x, y = np.full((1, 3), 5, np.float32), np.ones((1, 1), np.float32)
    losses = []
    for smoothing in (0.0, 0.1):
        model = _tiny()
        model.set_weights([np.ones((3, 1)), np.zeros(1)])
        compile_detector(model, TrainingChoices(label_smoothing=smoothing), 4)
        losses.append(model.test_on_batch(x, y))
    logit = 15
    assert losses[0] == pytest.approx(0, abs=1e-5)
    assert losses[1] == pytest.approx(0.05 * logit, rel=1e-3)
