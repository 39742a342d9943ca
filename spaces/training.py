"""The training space: how a detector is trained, as hyperparameters."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine")


@dataclasses.dataclass(frozen=True)
class TrainingChoices:
    """One way to train; the defaults are those of the original recipe.

    Attributes:
        optimizer: of :data:`OPTIMIZERS`.
        learning_rate: at the start.
        schedule: of :data:`SCHEDULES`, over all epochs.
        batch_size: clips.
        epochs: at most; pruning and the best epoch decide what is kept.
        weight_decay: decoupled, used by ``adamw`` alone.
        label_smoothing: 0 to below 1.
        balanced: weigh the classes so that both count equally.
        augment: flip, brightness, contrast and noise on whole clips.
        views: augmented copies of a clip that the frozen part of a model is computed for; 0
            augments anew every time, at the cost of the whole model.
        jit_compile: compile the training step with XLA.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    batch_size: int = 32
    epochs: int = 10
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    balanced: bool = True
    augment: bool = False
    views: int = 4
    jit_compile: bool = False


def training_space(hp: Any, max_epochs: int) -> TrainingChoices:
    """Ask for one way to train; the defaults of the space are those of the recipe."""
    recipe = TrainingChoices()
    optimizer = hp.Choice("optimizer", list(OPTIMIZERS), default=recipe.optimizer)
    weight_decay = recipe.weight_decay
    with hp.conditional_scope("optimizer", ["adamw"]):
        asked = hp.Float("weight_decay", 1e-6, 1e-2, sampling="log", default=recipe.weight_decay)
        weight_decay = weight_decay if asked is None else asked
    return TrainingChoices(
        optimizer=optimizer,
        learning_rate=hp.Float(
            "learning_rate", 1e-4, 1e-2, sampling="log", default=recipe.learning_rate
        ),
        schedule=hp.Choice("schedule", list(SCHEDULES), default=recipe.schedule),
        batch_size=hp.Choice("batch_size", [8, 16, 32], default=recipe.batch_size),
        epochs=hp.Int("epochs", 5, max_epochs, default=min(recipe.epochs, max_epochs)),
        weight_decay=weight_decay,
        label_smoothing=hp.Float("label_smoothing", 0.0, 0.1, step=0.02, default=0.0),
        balanced=hp.Boolean("balanced", default=recipe.balanced),
        augment=hp.Boolean("augment", default=recipe.augment),
    )


def compile_detector(model: keras.Model, choices: TrainingChoices, steps_per_epoch: int) -> None:
    """Compile a detector for ``fit``.

    The optimizer is built at once: left to the first step, it makes TensorFlow trace that step
    twice, which costs a short trial seconds.
    """
    rate: Any = choices.learning_rate
    if choices.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps_per_epoch * choices.epochs)
    if choices.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=choices.weight_decay, clipnorm=1.0)
    elif choices.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, clipnorm=1.0)
    else:
        optimizer = keras.optimizers.Adam(rate)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.BinaryCrossentropy(label_smoothing=choices.label_smoothing),
        jit_compile=choices.jit_compile,
    )
    optimizer.build(model.trainable_variables)
