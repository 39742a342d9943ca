"""Work after each epoch of a training: validate, keep the best weights, write a checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from artifacts.histories import EPOCH, LOSS
from search.features.suffix import Suffix
from search.samples.batches import ClipBatches
from search.samples.samples import Samples
from search.training import checkpoint
from search.training.checkpoint import Arrays, CheckpointFile, TrainingState
from search.training.objectives import AUC, Objective, ValidationScore
from search.training.predictions import Probabilities, predict_samples, score_samples
from spaces.keras_internals import averages_of


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


@dataclasses.dataclass(frozen=True)
class Validation:
    """Validation of a detector during its training.

    Attributes:
        suffix: Detector after its frozen prefix.
        samples: Validation samples: clips, and pseudo-fakes of them if the objective needs these.
        objective: Objective that chooses the best epoch.
        without: Manipulation method whose clips are not scored.
    """

    suffix: Suffix
    samples: Samples
    objective: Objective = AUC
    without: str = ""

    def score(self) -> tuple[ValidationScore, Probabilities]:
        """Return the score of the current weights, and the probabilities (clips,) of the clips."""
        probabilities = predict_samples(self.suffix, self.samples)
        score = score_samples(probabilities, self.samples, self.objective, self.without)
        return score, probabilities[: len(self.samples.parts[0])]


class EpochCallback(keras.callbacks.Callback):
    """Keras callback that validates each epoch, keeps the best weights and writes checkpoints.

    Args:
        batches: Training batches.
        validation: Validation of the detector.
        file: Checkpoint of this training.
        report: Called after each epoch; may raise to stop.
        follow: Copies the weights that are trained to the validated detector, where these are two.

    Attributes:
        best: Score of the best epoch.
        best_epoch: Number of the best epoch, from 1.
        probabilities: float32 (clips,), probabilities of the validation clips at the best epoch.
        history: All epochs.
    """

    def __init__(
        self,
        batches: ClipBatches,
        validation: Validation,
        file: CheckpointFile,
        report: Callable[[Epoch], None] | None = None,
        follow: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self._batches = batches
        self._validation = validation
        self._file = file
        self._report = report
        self._follow = follow
        self._best_values: Arrays = []
        self._current_values: Arrays = []
        self.best = ValidationScore(-1.0, log_loss=float("inf"), objective=validation.objective)
        self.best_epoch = 0
        self.probabilities: Probabilities = np.zeros(0, np.float32)
        self.history: list[Epoch] = []

    def resume(self, model: keras.Model) -> int:
        """Restore the checkpoint into a compiled model; return its number of epochs.

        Its epochs are reported again: the trial that resumes has not recorded them.
        """
        state = self._file.load()
        if state is None:
            return 0
        checkpoint.assign_values(checkpoint.changing_variables(model), state.variables)
        checkpoint.assign_values(model.optimizer.variables, state.optimizer)
        self._best_values, self.best_epoch = state.best, state.facts["best_epoch"]
        self.probabilities = np.array(state.facts["probabilities"], np.float32)
        for number, loss, score in state.facts["history"]:
            self.history.append(Epoch(number, loss, ValidationScore(**score)))
            if self._report is not None:
                self._report(self.history[-1])
        self.best = self.history[self.best_epoch - 1].score
        return len(self.history)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._batches.begin(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} in epoch {epoch + 1}: training diverged")
        changing = checkpoint.changing_variables(self.model)
        self._current_values = checkpoint.copy_values(changing)
        with _averaged(self.model):
            if self._follow is not None:
                self._follow()
            score, probabilities = self._validation.score()
            self.history.append(Epoch(epoch + 1, loss, score))
            if not self.best_epoch or score.order < self.best.order:
                self.best, self.best_epoch, self.probabilities = score, epoch + 1, probabilities
                self._best_values = checkpoint.copy_values(changing)
        if self._file.is_due:
            self._file.save(self._state())
        if self._report is not None:
            self._report(self.history[-1])

    def restore_best(self, model: keras.Model) -> None:
        """Assign the weights of the best epoch to a model."""
        checkpoint.assign_values(checkpoint.changing_variables(model), self._best_values)

    def _state(self) -> TrainingState:
        history = [
            (epoch.number, epoch.loss, dataclasses.asdict(epoch.score)) for epoch in self.history
        ]
        facts = {
            "best_epoch": self.best_epoch,
            "probabilities": self.probabilities.astype(float).tolist(),
            "history": history,
        }
        steps = checkpoint.copy_values(self.model.optimizer.variables)
        return TrainingState(self._current_values, steps, self._best_values, facts)


@contextlib.contextmanager
def _averaged(model: keras.Model) -> Iterator[None]:
    """Give a model its averaged weights inside the block, if its optimizer keeps averages."""
    optimizer = model.optimizer
    # Mixed precision in float16 wraps one optimizer in another.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if not optimizer.use_ema:
        yield
        return
    current = checkpoint.copy_values(model.trainable_variables)
    for variable, average in zip(model.trainable_variables, averages_of(optimizer), strict=True):
        variable.assign(average)
    try:
        yield
    finally:
        checkpoint.assign_values(model.trainable_variables, current)
