"""Train one detector on the training split, watching the validation split."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from data_prep.store import Store
from search.feature_cache import BUDGET, FeatureCache
from search.objectives import ValidationScore, validation_score
from search.stream import ClipBatches
from search.suffix import Progress, Suffix, cut
from spaces.training import TrainingChoices, compile_detector

_LARGEST_BATCH = 16


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
        note: what was frozen and yet computed in every epoch, and why; mostly empty.
    """

    best: ValidationScore
    best_epoch: int
    history: list[Epoch]
    cached: int
    note: str = ""


def fit(
    model: keras.Model,
    store: Store,
    choices: TrainingChoices,
    *,
    seed: int,
    features: Path,
    budget: int = BUDGET,
    report: Callable[[Epoch], None] | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Train a detector and leave it with the weights of its best validation epoch.

    Frozen prefixes are read from the feature cache. Augmented clips are those of the stored views
    the features were computed for; without features, or with ``choices.views`` 0, every clip is
    changed anew each time, and goes through the whole model. Validation clips are never augmented
    and always use the cache.

    Args:
        model: ``frames`` and modalities of the store to ``fake_probability``; trained in place.
        store: with both labels in ``train`` and ``val``.
        choices: how to train.
        seed: of shuffling and augmentation.
        features: folder of the feature cache.
        budget: of the cache in bytes; see :class:`search.feature_cache.FeatureCache`.
        report: called after each epoch; may raise to stop.
        progress: called while features are computed; may raise to stop.

    Raises:
        FloatingPointError: the loss or a probability is NaN or infinite.
    """
    anew = choices.augment and not choices.views
    views = choices.views if choices.augment else 0
    cache = FeatureCache(features, budget)
    with cut(model, store, cache, views=views, train=not anew, progress=progress) as suffix:
        trained = model if anew else suffix.model
        batches = ClipBatches(
            store,
            store.rows("train"),
            [tensor.name for tensor in model.inputs] if anew else suffix.names,
            suffix.train,
            batch_size=choices.batch_size,
            shuffle_seed=seed,
            balanced=choices.balanced,
            augment=choices.augment and not suffix.views,
            views=suffix.views,
        )
        suffix.model.jit_compile = choices.jit_compile
        watch = _Watch(suffix, store, report)
        compile_detector(trained, choices, steps_per_epoch=len(batches))
        with contextlib.closing(batches):
            trained.fit(batches, epochs=choices.epochs, callbacks=[watch], verbose=0, shuffle=False)
    trained.set_weights(watch.best_weights)
    cached = 0 if anew else len(suffix.train)
    return Fit(watch.best, watch.best_epoch, watch.history, cached, suffix.note)


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
        # Batches alike in size, since each size is compiled for itself.
        count = -(-len(rows) // _LARGEST_BATCH)
        self._size = -(-len(rows) // count)
        self._suffix = suffix.model
        self._labels = store.labels[rows]
        self._batches = ClipBatches(store, rows, suffix.names, suffix.val, batch_size=self._size)
        self._report = report
        self.best = ValidationScore(auc=-1.0, log_loss=float("inf"))
        self.best_epoch = 0
        self.best_weights: list[npt.NDArray[Any]] = []
        self.history: list[Epoch] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} in epoch {epoch + 1}: training diverged")
        score = validation_score(self._labels, self._probabilities())
        self.history.append(Epoch(epoch + 1, loss, score))
        if score.order < self.best.order:
            self.best, self.best_epoch = score, epoch + 1
            self.best_weights = self.model.get_weights()
        if self._report is not None:
            self._report(self.history[-1])

    def _probabilities(self) -> npt.NDArray[np.float32]:
        """For the validation clips in their order.

        ``predict`` would set up its input pipeline in every epoch, which takes longer than to
        compute a small head.
        """
        found = []
        for index in range(len(self._batches)):
            inputs = keras.tree.map_structure(self._filled_up, self._batches[index][0])
            found.append(self._suffix.predict_on_batch(inputs)[:, 0])
        return np.concatenate(found)[: len(self._labels)].astype(np.float32)

    def _filled_up(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.resize(batch, (self._size, *batch.shape[1:]))
