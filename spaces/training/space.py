"""The training space: how a detector is trained, as hyperparameters."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from spaces.training.losses import make_loss
from spaces.training.names import (
    AUGMENTATIONS,
    BATCH_SIZES,
    BINARY_CROSSENTROPY,
    FOCAL,
    LEARNING_RATES,
    LOSSES,
    MIXUP,
    PAIRWISE,
    PSEUDO_SHARES,
    SCHEDULES,
)

OPTIMIZERS = ("adam", "adamw", "sgd")

_LEAST_MOMENTUM, _MOST_MOMENTUM = 0.9, 0.999


@dataclasses.dataclass(frozen=True)
class TrainingChoices:
    """One way to train; the defaults are those of the original recipe.

    Attributes:
        optimizer: one of :data:`OPTIMIZERS`.
        learning_rate: learning rate at the start.
        schedule: one of :data:`spaces.training.names.SCHEDULES`, over all samples.
        batch_size: number of samples.
        samples: most samples that are shown; pruning and the best epoch decide the kept model.
        epoch_samples: samples of an epoch: after each, the detector is validated.
        weight_decay: decoupled weight decay, used only by ``adamw``.
        label_smoothing: 0 to below 1.
        loss: one of :data:`spaces.training.names.LOSSES`.
        pseudo_fakes: share of pseudo-fakes among the fakes; 0 for none, 1 for no others.
        augmentation: one of :data:`spaces.training.names.AUGMENTATIONS`, on whole clips.
        gan_fakes: whether fakes with faces of the GAN stage are a method beside those of the store.
        mixup: alpha of the blending of samples and labels in a batch (Zhang et al., mixup, 2018);
            0 for none.
        balanced: show both labels equally often, all methods of the fakes, and all people.
        weight_averaging: validate and keep a moving average of the weights over about an epoch.
        views: changed copies of a clip that the frozen part of a model is computed for; 0 changes
            it anew every time, at the cost of the whole model.
        jit_compile: compile the training step with XLA.

    Raises:
        ValueError: two of the choices exclude each other.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    batch_size: int = 32
    samples: int = 20480
    epoch_samples: int = 2048
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    loss: str = BINARY_CROSSENTROPY
    pseudo_fakes: float = 0.0
    augmentation: str = "none"
    gan_fakes: bool = False
    mixup: float = 0.0
    balanced: bool = True
    weight_averaging: bool = False
    views: int = 4
    jit_compile: bool = False

    def __post_init__(self) -> None:
        if self.mixup and self.loss == PAIRWISE:
            raise ValueError(
                "mixup and the pairwise loss exclude each other: a blend of two clips has no pair"
            )
        if not self.balanced and (self.pseudo_fakes or self.gan_fakes or self.loss == PAIRWISE):
            raise ValueError("pseudo-fakes, GAN fakes and the pairwise loss need balanced = true")
        if self.gan_fakes and self.pseudo_fakes == 1:
            raise ValueError("pseudo-fakes are to be the only fakes: leave out GAN fakes or others")

    @property
    def epochs(self) -> int:
        """Number of epochs, the last one whole."""
        return math.ceil(self.samples / self.epoch_samples)

    @property
    def epoch_steps(self) -> int:
        """Number of batches of an epoch."""
        return math.ceil(self.epoch_samples / self.batch_size)

    @property
    def steps(self) -> int:
        """Number of batches of the whole training."""
        return self.epochs * self.epoch_steps


def training_space(
    hp: Any, max_samples: int, pinned: Mapping[str, Any] | None = None
) -> TrainingChoices:
    """Ask for one way to train; the defaults of the space are those of the recipe.

    Args:
        hp: answers the questions.
        max_samples: upper end of the range of samples; the lower end is a quarter of it.
        pinned: choices that are not asked for, by name; the same in all trials of a study.
    """
    recipe = TrainingChoices()
    space = _Questions(pinned or {})
    blends = bool((pinned or {}).get("mixup"))
    losses = [loss for loss in LOSSES if not (blends and loss == PAIRWISE)]
    space.ask("optimizer", hp.Choice, list(OPTIMIZERS))
    space.ask("weight_decay", hp.Float, 1e-6, 1e-2, sampling="log", where={"optimizer": ["adamw"]})
    space.ask("learning_rate", hp.Float, *LEARNING_RATES, sampling="log")
    space.ask("schedule", hp.Choice, list(SCHEDULES))
    space.ask("batch_size", hp.Choice, list(BATCH_SIZES))
    space.ask("samples", hp.Choice, sample_budgets(max_samples), default=max_samples)
    space.ask("label_smoothing", hp.Float, 0.0, 0.1, step=0.02)
    space.ask("loss", hp.Choice, losses)
    space.ask("pseudo_fakes", hp.Choice, list(PSEUDO_SHARES))
    if space.answers.get("pseudo_fakes", recipe.pseudo_fakes) < 1:
        space.ask("gan_fakes", hp.Boolean)
    space.ask("augmentation", hp.Choice, list(AUGMENTATIONS))
    space.ask("mixup", hp.Choice, [0.0, MIXUP], where={"loss": [BINARY_CROSSENTROPY, FOCAL]})
    space.ask(
        "balanced",
        hp.Boolean,
        where={
            "loss": [BINARY_CROSSENTROPY, FOCAL],
            "pseudo_fakes": [0.0],
            "gan_fakes": [False],
        },
    )
    space.ask("weight_averaging", hp.Boolean)
    return dataclasses.replace(recipe, **space.answers)


class _Questions:
    """Questions for the choices that are not pinned, each only if it has an effect."""

    def __init__(self, pinned: Mapping[str, Any]) -> None:
        self._pinned = pinned
        self._recipe = dataclasses.asdict(TrainingChoices())
        self.answers: dict[str, Any] = dict(pinned)

    def ask(
        self,
        name: str,
        kind: Callable[..., Any],
        *values: Any,
        where: Mapping[str, Sequence[Any]] | None = None,
        **settings: Any,
    ) -> None:
        """Ask for a choice, the recipe's first, unless it is pinned.

        Args:
            name: name of the choice.
            kind: method of the hyperparameters that asks.
            values: arguments of the range.
            where: values of earlier choices under which this one has an effect; under others it
                keeps the recipe's value and is not asked.
            settings: keyword arguments of the range.
        """
        if name in self._pinned:
            return
        for earlier, wanted in (where or {}).items():
            if self.answers.get(earlier, self._recipe[earlier]) not in wanted:
                return
        self.answers[name] = kind(name, *values, **{"default": self._recipe[name], **settings})


def sample_budgets(most: int) -> list[int]:
    """Return the searched numbers of samples: a quarter, a half and the whole of the most."""
    return sorted({math.ceil(most / part) for part in (4, 2, 1)})


def compile_detector(model: keras.Model, choices: TrainingChoices) -> None:
    """Compile a detector for ``fit``.

    The optimizer is built at once: left to the first step, it makes TensorFlow trace that step
    twice, which costs a short trial seconds.

    Args:
        model: the detector.
        choices: choices of the training.
    """
    rate: Any = choices.learning_rate
    if choices.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, choices.steps)
    # An average over about the last epoch; over ten steps at least, so that it averages at all.
    momentum = min(max(1 - 1 / choices.epoch_steps, _LEAST_MOMENTUM), _MOST_MOMENTUM)
    averaging = {"use_ema": choices.weight_averaging, "ema_momentum": momentum}
    if choices.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(
            rate, weight_decay=choices.weight_decay, clipnorm=1.0, **averaging
        )
    elif choices.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate, momentum=0.9, nesterov=True, clipnorm=1.0, **averaging
        )
    else:
        optimizer = keras.optimizers.Adam(rate, **averaging)
    model.compile(
        optimizer=optimizer,
        loss=make_loss(choices.loss, choices.label_smoothing),
        jit_compile=choices.jit_compile,
    )
    optimizer.build(model.trainable_variables)
