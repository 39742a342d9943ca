"""Train one detector on the training split, watching the validation split."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from data_prep.store import Store
from search.feature_cache import Suffix, cut
from search.objectives import ValidationScore, validation_score
from search.stream import FRAMES, ClipBatches
from spaces.training import TrainingChoices, compile_detector


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One finished epoch: its number from 1, the training loss, the validation score."""

    number: int
    loss: float
    score: ValidationScore

    @property
    def row(self) -> dict[str, float]:
        """Plain values for a table."""
        return {
            "epoch": self.number,
            "loss": self.loss,
            "val_auc": self.score.auc,
            "val_log_loss": self.score.log_loss,
        }


@dataclasses.dataclass(frozen=True)
class Fit:
    """A trained detector; the model holds the weights of its best epoch.

    Attributes:
        best: score of that epoch on the validation split.
        best_epoch: counted from 1.
        history: every epoch.
        cached: how many inputs of the trained part came from the feature cache.
    """

    best: ValidationScore
    best_epoch: int
    history: list[Epoch]
    cached: int


def fit(
    model: keras.Model,
    store: Store,
    choices: TrainingChoices,
    *,
    seed: int,
    features: Path,
    report: Callable[[Epoch], None] | None = None,
) -> Fit:
    """Train a detector and leave it with the weights of its best validation epoch.

    Frozen prefixes are read from the feature cache. Augmented clips must pass the whole model;
    validation clips are never augmented and always use the cache.

    Args:
        model: uint8 ``frames`` to ``fake_probability``; trained in place.
        store: with both labels in ``train`` and ``val``.
        choices: how to train.
        seed: of shuffling and augmentation.
        features: folder of the feature cache.
        report: called after each epoch; may raise to stop.

    Raises:
        FloatingPointError: the loss or a probability is NaN or infinite.
    """
    suffix = cut(model, store, features)
    trained, names = (model, [FRAMES]) if choices.augment else (suffix.model, suffix.names)
    batches = ClipBatches(
        store,
        store.rows("train"),
        names,
        suffix.features,
        batch_size=choices.batch_size,
        shuffle_seed=seed,
        balanced=choices.balanced,
        augment=choices.augment,
    )
    watch = _Watch(suffix, store, report)
    compile_detector(trained, choices, steps_per_epoch=len(batches))
    trained.fit(batches, epochs=choices.epochs, callbacks=[watch], verbose=0, shuffle=False)
    trained.set_weights(watch.best_weights)
    return Fit(watch.best, watch.best_epoch, watch.history, len(suffix.features))


class _Watch(keras.callbacks.Callback):
    """Scores validation after each epoch and remembers the best weights."""

    def __init__(
        self,
        suffix: Suffix,
        store: Store,
        report: Callable[[Epoch], None] | None,
    ) -> None:
        super().__init__()
        rows = store.rows("val")
        self._suffix = suffix.model
        self._labels = store.labels[rows]
        self._batches = ClipBatches(store, rows, suffix.names, suffix.features, batch_size=16)
        self._report = report
        self.best = ValidationScore(auc=-1.0, log_loss=float("inf"))
        self.best_epoch = 0
        self.best_weights: list[npt.NDArray[Any]] = []
        self.history: list[Epoch] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} in epoch {epoch + 1}: training diverged")
        probabilities = self._suffix.predict(self._batches, verbose=0)[:, 0]
        score = validation_score(self._labels, probabilities)
        self.history.append(Epoch(epoch + 1, loss, score))
        if score.order < self.best.order:
            self.best, self.best_epoch = score, epoch + 1
            self.best_weights = self.model.get_weights()
        if self._report is not None:
            self._report(self.history[-1])
