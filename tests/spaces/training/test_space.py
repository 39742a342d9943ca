"""The training space offers the original recipe, and what it answers is what trains."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from spaces.training.space import OPTIMIZERS, TrainingChoices, compile_detector, training_space


def _tiny() -> keras.Model:
    x = keras.Input((3,))
    y = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="zeros")(x)
    return keras.Model(x, y)


def test_the_defaults_of_the_space_are_the_recipe() -> None:
    assert training_space(keras_tuner.HyperParameters(), max_samples=20480) == TrainingChoices()


def test_weight_decay_is_searched_for_adamw_alone() -> None:
    hp = keras_tuner.HyperParameters()
    training_space(hp, max_samples=20480)
    assert "weight_decay" not in hp.values

    hp = keras_tuner.HyperParameters()
    hp.values.update({"optimizer": "adamw", "weight_decay": 0.005})
    assert training_space(hp, max_samples=20480).weight_decay == 0.005


def test_every_choice_is_taken_from_the_answers() -> None:
    asked = {
        "optimizer": "sgd",
        "learning_rate": 0.002,
        "schedule": "cosine",
        "batch_size": 8,
        "samples": 5120,
        "label_smoothing": 0.04,
        "loss": "focal",
        "pseudo_fakes": 0.0,
        "augmentation": "strong",
        "mixup": 0.2,
        "balanced": False,
        "weight_averaging": True,
    }
    hp = keras_tuner.HyperParameters()
    hp.values.update(asked)
    assert training_space(hp, max_samples=20480) == TrainingChoices(**asked)  # type: ignore[arg-type]


def test_what_has_no_effect_is_not_asked_for() -> None:
    hp = keras_tuner.HyperParameters()
    hp.values.update({"loss": "pairwise", "mixup": 0.2, "balanced": False})
    choices = training_space(hp, max_samples=20480)
    assert (choices.mixup, choices.balanced) == (0.0, True)

    hp = keras_tuner.HyperParameters()
    hp.values.update({"pseudo_fakes": 0.5, "balanced": False})
    assert training_space(hp, max_samples=20480).balanced


@pytest.mark.parametrize(
    ("pinned", "unasked"),
    [
        ({}, {"weight_decay"}),
        ({"loss": "pairwise"}, {"weight_decay", "loss", "mixup", "balanced"}),
        ({"loss": "focal", "pseudo_fakes": 0.0}, {"weight_decay", "loss", "pseudo_fakes"}),
        ({"pseudo_fakes": 1.0}, {"weight_decay", "pseudo_fakes", "balanced", "gan_fakes"}),
        ({"gan_fakes": True}, {"weight_decay", "gan_fakes", "balanced"}),
        ({"mixup": 0.2, "weight_averaging": False}, {"weight_decay", "mixup", "weight_averaging"}),
        ({"augmentation": "strong", "optimizer": "adamw"}, {"augmentation", "optimizer"}),
    ],
)
def test_what_is_pinned_is_taken_and_not_asked_for(
    pinned: dict[str, Any], unasked: set[str]
) -> None:
    hp = keras_tuner.HyperParameters()
    choices = training_space(hp, 20480, pinned)
    names = {field.name for field in dataclasses.fields(TrainingChoices)}
    assert names - set(hp.values) == unasked | {"epoch_samples", "views", "jit_compile"}
    assert {name: getattr(choices, name) for name in pinned} == pinned


def test_blends_leave_the_pairwise_loss_out() -> None:
    hp = keras_tuner.HyperParameters()
    training_space(hp, 20480, {"mixup": 0.2})
    (loss,) = [entry for entry in hp.space if entry.name == "loss"]
    assert set(loss.values) == {"binary_crossentropy", "focal"}


@pytest.mark.parametrize(
    "choices",
    [
        {"mixup": 0.2, "loss": "pairwise"},
        {"pseudo_fakes": 0.5, "balanced": False},
        {"loss": "pairwise", "balanced": False},
        {"gan_fakes": True, "balanced": False},
        {"gan_fakes": True, "pseudo_fakes": 1.0},
    ],
)
def test_choices_that_exclude_each_other_are_refused(choices: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"pair|GAN"):
        TrainingChoices(**choices)


def test_averaged_weights_are_kept_by_the_optimizer_over_about_an_epoch() -> None:
    for steps, momentum in ((2, 0.9), (50, 0.98), (10**6, 0.999)):
        model = _tiny()
        choices = TrainingChoices(weight_averaging=True, batch_size=1, epoch_samples=steps)
        compile_detector(model, choices)
        assert model.optimizer.use_ema
        assert model.optimizer.ema_momentum == pytest.approx(momentum)
    compile_detector(model, TrainingChoices())
    assert not model.optimizer.use_ema


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_detector_compiles_with_each_optimizer_and_learns(optimizer: str) -> None:
    model = _tiny()
    compile_detector(model, TrainingChoices(optimizer=optimizer, learning_rate=0.1))
    assert type(model.optimizer).__name__.lower() == optimizer
    assert model.optimizer.built
    x, y = np.eye(3, dtype=np.float32), np.array([[1], [0], [1]], np.float32)
    losses = [model.train_on_batch(x, y) for _ in range(5)]
    assert losses[-1] < losses[0]


def test_a_constant_schedule_stays_and_a_cosine_ends_at_nothing() -> None:
    model = _tiny()
    choices = TrainingChoices(learning_rate=0.01, samples=12, epoch_samples=4, batch_size=1)
    compile_detector(model, choices)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)

    choices = dataclasses.replace(choices, schedule="cosine")
    compile_detector(model, choices)
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
    compile_detector(model, TrainingChoices(optimizer="adamw", weight_decay=0.003))
    assert model.optimizer.weight_decay == 0.003


def test_label_smoothing_softens_the_loss_of_a_sure_answer() -> None:
    x, y = np.full((1, 3), 5, np.float32), np.ones((1, 1), np.float32)
    losses = []
    for smoothing in (0.0, 0.1):
        model = _tiny()
        model.set_weights([np.ones((3, 1)), np.zeros(1)])
        compile_detector(model, TrainingChoices(label_smoothing=smoothing))
        losses.append(model.test_on_batch(x, y))
    logit = 15
    assert losses[0] == pytest.approx(0, abs=1e-5)
    assert losses[1] == pytest.approx(0.05 * logit, rel=1e-3)
