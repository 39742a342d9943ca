"""What is done after each epoch of a training: validate, remember the best, keep a checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from artifacts.histories import EPOCH, LOSS
from search.features.suffix import Suffix
from search.samples.batches import ClipBatches
from search.samples.samples import Samples
from search.training import checkpoint
from search.training.checkpoint import Arrays, TrainingState
from search.training.objectives import AUC, Objective, ValidationScore
from search.training.predictions import predict_samples, score_samples

LEAST_SECONDS = 1.0
"""Between checkpoints: what took less is as well trained again."""
MOST_SHARE = 0.02
"""Of the time of a training that its checkpoints take."""


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One finished epoch: its number from 1, the training loss, the validation score."""

    number: int
    loss: float
    score: ValidationScore

    @property
    def row(self) -> dict[str, float]:
        """Plain values for a table."""
        return {EPOCH: self.number, LOSS: self.loss, **self.score.row}


class Watch(keras.callbacks.Callback):
    """Scores validation after each epoch, remembers the best weights, and keeps a checkpoint.

    Args:
        shown: what is trained on.
        suffix: what is validated.
        val: validation samples: clips, and pseudo-fakes of them if these are looked at.
        report: called after each epoch; may raise to stop.
        follow: gives what is validated the weights of what is trained, where these are two.
        objective: which epoch is best.
        without: a manipulation method whose clips choose no epoch.
        kept: where the state of the training is kept; ``None`` keeps none.
        key: tells this training from others; a checkpoint of another is not gone on from.

    Attributes:
        best: score of the best epoch.
        best_epoch: its number, from 1.
        probabilities: float32 (clips,), what the best epoch says of the validation clips.
        history: every epoch.
    """

    def __init__(
        self,
        shown: ClipBatches,
        suffix: Suffix,
        val: Samples,
        report: Callable[[Epoch], None] | None = None,
        follow: Callable[[], None] | None = None,
        objective: Objective = AUC,
        without: str = "",
        kept: Path | None = None,
        key: str = "",
    ) -> None:
        super().__init__()
        self._shown = shown
        self._suffix = suffix
        self._val = val
        self._without = without
        self._report = report
        self._follow = follow
        self._objective = objective
        self._kept = kept
        self._kept_at = time.monotonic()
        self._keeping = 0.0
        self._key = key
        self._best_values: Arrays = []
        self._own: Arrays = []
        self.best = ValidationScore(-1.0, log_loss=float("inf"), objective=objective)
        self.best_epoch = 0
        self.probabilities = np.zeros(0, np.float32)
        self.history: list[Epoch] = []

    def resume(self, model: keras.Model) -> int:
        """Give a compiled model the state of its checkpoint; how many epochs that had.

        They are reported again: whoever listens is another trial than the one that trained them.
        """
        state = checkpoint.load(self._kept) if self._kept is not None else None
        if state is None or state.told["key"] != self._key:
            return 0
        checkpoint.assign(checkpoint.changing(model), state.variables)
        checkpoint.assign(model.optimizer.variables, state.optimizer)
        self._best_values, self.best_epoch = state.best, state.told["best_epoch"]
        self.probabilities = np.array(state.told["probabilities"], np.float32)
        for number, loss, score in state.told["history"]:
            self.history.append(Epoch(number, loss, ValidationScore(**score)))
            if self._report is not None:
                self._report(self.history[-1])
        self.best = self.history[self.best_epoch - 1].score
        return len(self.history)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._shown.begin(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} in epoch {epoch + 1}: training diverged")
        changing = checkpoint.changing(self.model)
        self._own = checkpoint.values(changing)
        with _averaged(self.model):
            if self._follow is not None:
                self._follow()
            probabilities = predict_samples(self._suffix, self._val)
            score = score_samples(probabilities, self._val, self._objective, self._without)
            self.history.append(Epoch(epoch + 1, loss, score))
            if not self.best_epoch or score.order < self.best.order:
                self.best, self.best_epoch = score, epoch + 1
                self.probabilities = probabilities[: len(self._val.parts[0])]
                self._best_values = checkpoint.values(changing)
        self._keep()
        if self._report is not None:
            self._report(self.history[-1])

    def keep_on(self) -> None:
        """Undo what Keras does at the end of ``fit``: averages in the place of the weights."""
        checkpoint.assign(checkpoint.changing(self.model), self._own)

    def restore_best(self, model: keras.Model) -> None:
        """Give a model the weights of the best epoch."""
        checkpoint.assign(checkpoint.changing(model), self._best_values)

    def _keep(self) -> None:
        """Keep a checkpoint, unless the last one was so lately that they would take much time."""
        since = time.monotonic() - self._kept_at
        if self._kept is None or since < max(LEAST_SECONDS, self._keeping / MOST_SHARE):
            return
        begun = time.monotonic()
        history = [
            (epoch.number, epoch.loss, dataclasses.asdict(epoch.score)) for epoch in self.history
        ]
        told = {
            "key": self._key,
            "best_epoch": self.best_epoch,
            "probabilities": self.probabilities.astype(float).tolist(),
            "history": history,
        }
        steps = checkpoint.values(self.model.optimizer.variables)
        checkpoint.save(self._kept, TrainingState(self._own, steps, self._best_values, told))
        self._kept_at = time.monotonic()
        self._keeping = self._kept_at - begun


@contextlib.contextmanager
def _averaged(model: keras.Model) -> Iterator[None]:
    """Give a model its averaged weights for a while, where its optimizer keeps averages."""
    optimizer = model.optimizer
    # Mixed precision in float16 has one optimizer around the other.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if not optimizer.use_ema:
        yield
        return
    own = [variable.numpy() for variable in model.trainable_variables]
    for variable, average in zip(
        model.trainable_variables, optimizer._model_variables_moving_average, strict=True
    ):
        variable.assign(average)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, own, strict=True):
            variable.assign(value)
