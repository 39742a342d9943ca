"""Train one detector on the training split, watching the validation split."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from data_prep.store import Store
from search.feature_cache import BUDGET, FeatureCache
from search.features import Progress
from search.objectives import AUC, GENERALISATION, Objective, ValidationScore, validation_score
from search.samples import UNCHANGED, Samples, Walks, training_samples, validation_samples
from search.shorter import copy_weights
from search.stream import ENDLESS, ClipBatches
from search.suffix import Suffix, cut
from spaces.choices import PAIRWISE
from spaces.training import TrainingChoices, compile_detector

_LARGEST_BATCH = 16
_WORKERS = 2


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One finished epoch: its number from 1, the training loss, the validation score."""

    number: int
    loss: float
    score: ValidationScore

    @property
    def row(self) -> dict[str, float]:
        """Plain values for a table."""
        return {"epoch": self.number, "loss": self.loss, **self.score.row}


@dataclasses.dataclass(frozen=True)
class Fit:
    """A trained detector; the model holds the weights of its best epoch.

    Attributes:
        best: score of that epoch on the validation samples.
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
    objective: Objective = AUC,
    shorter: keras.Model | None = None,
    walks: Walks | None = None,
    report: Callable[[Epoch], None] | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Train a detector and leave it with the weights of its best validation epoch.

    Frozen prefixes are read from the feature cache. Samples that are changed or made by chance are
    those of the stored views the features were computed for; without features, or with
    ``choices.views`` 0, every sample is made anew each time, and goes through the whole model.
    Validation clips are never augmented and always use the cache. Where the weights are averaged,
    the averages are what is validated and kept.

    Args:
        model: ``frames`` and modalities of the store to ``fake_probability``; trained in place.
        store: with both labels in ``train`` and ``val``.
        choices: how to train.
        seed: of draws, views and mixup.
        features: folder of the feature cache.
        budget: of the cache in bytes; see :class:`search.feature_cache.FeatureCache`.
        objective: which epoch is best; ``generalisation`` looks at pseudo-fakes, too.
        shorter: the detector for clips of fewer frames, see :func:`search.shorter.shorter`. It is
            trained in the place of the model, on as many consecutive frames of every clip; the
            model is given its weights, and validated on whole clips.
        walks: generated faces, what ``choices.gan_fakes`` needs.
        report: called after each epoch; may raise to stop.
        progress: called while features are computed; may raise to stop.

    Raises:
        FloatingPointError: the loss or a probability is NaN or infinite.
    """
    frames = shorter.inputs[0].shape[1] if shorter else 0
    made = choices.pseudo_fakes or choices.gan_fakes
    changing = bool(choices.augmentation != UNCHANGED or made or frames)
    views = choices.views if changing else 0
    anew = changing and not views
    train = training_samples(
        store,
        choices.pseudo_fakes,
        choices.augmentation,
        frames,
        walks if choices.gan_fakes else None,
    )
    val = validation_samples(store, pseudo_fakes=objective == GENERALISATION)
    cache = FeatureCache(features, budget)
    learner = shorter or model
    with contextlib.ExitStack() as held:
        cached = None if anew else train
        judged = cut(model, cache, None if shorter else cached, val, views=views, progress=progress)
        held.enter_context(judged)
        taught = judged
        if shorter:
            taught = cut(shorter, cache, cached, None, views=views, progress=progress)
            held.enter_context(taught)
        trained = learner if anew else taught.model
        batches = ClipBatches(
            train,
            [tensor.name for tensor in learner.inputs] if anew else taught.names,
            taught.train,
            batch_size=choices.batch_size,
            shuffle_seed=seed,
            frequency=train.balanced(choices.pseudo_fakes) if choices.balanced else None,
            tell_sources=choices.loss == PAIRWISE,
            views=taught.views or (ENDLESS if changing else 0),
            mixup=choices.mixup,
            workers=_WORKERS if changing else 1,
        )
        judged.model.jit_compile = choices.jit_compile
        follow = functools.partial(copy_weights, learner, model)
        watch = _Watch(judged, val, report, follow if shorter else None)
        compile_detector(trained, choices, steps_per_epoch=len(batches))
        with contextlib.closing(batches):
            trained.fit(batches, epochs=choices.epochs, callbacks=[watch], verbose=0, shuffle=False)
    trained.set_weights(watch.best_weights)
    if shorter:
        copy_weights(shorter, model)
    notes = dict.fromkeys(filter(None, (judged.note, taught.note)))
    return Fit(
        watch.best,
        watch.best_epoch,
        watch.history,
        cached=0 if anew else len(taught.train),
        note="; ".join(notes),
    )


class _Watch(keras.callbacks.Callback):
    """Scores validation after each epoch and remembers the best weights."""

    def __init__(
        self,
        suffix: Suffix,
        val: Samples,
        report: Callable[[Epoch], None] | None,
        follow: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        # Batches alike in size, since each size is compiled for itself.
        count = -(-len(val) // _LARGEST_BATCH)
        self._size = -(-len(val) // count)
        self._suffix = suffix.model
        self._val = val
        self._batches = ClipBatches(val, suffix.names, suffix.val, batch_size=self._size)
        self._report = report
        self._follow = follow
        self.best = ValidationScore(auc=-1.0, log_loss=float("inf"))
        self.best_epoch = 0
        self.best_weights: list[npt.NDArray[Any]] = []
        self.history: list[Epoch] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {})["loss"])
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} in epoch {epoch + 1}: training diverged")
        with _averaged(self.model):
            if self._follow is not None:
                self._follow()
            score = self._score()
            self.history.append(Epoch(epoch + 1, loss, score))
            if score.order < self.best.order:
                self.best, self.best_epoch = score, epoch + 1
                self.best_weights = self.model.get_weights()
        if self._report is not None:
            self._report(self.history[-1])

    def _score(self) -> ValidationScore:
        """Of the clips, the first part, and of their pseudo-fakes, if there are any."""
        probabilities = self._probabilities()
        clips = len(self._val.parts[0])
        made = len(self._val.parts) - 1
        return validation_score(
            self._val.labels[:clips],
            probabilities[:clips],
            probabilities[clips:].reshape(made, -1) if made else None,
        )

    def _probabilities(self) -> npt.NDArray[np.float32]:
        """For the validation samples in their order.

        ``predict`` would set up its input pipeline in every epoch, which takes longer than to
        compute a small head.
        """
        found = []
        for index in range(len(self._batches)):
            inputs = keras.tree.map_structure(self._filled_up, self._batches[index][0])
            found.append(self._suffix.predict_on_batch(inputs)[:, 0])
        return np.concatenate(found)[: len(self._val)].astype(np.float32)

    def _filled_up(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.resize(batch, (self._size, *batch.shape[1:]))


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
