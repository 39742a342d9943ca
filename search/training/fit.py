"""Training of one detector on the training split, validated on the validation split."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from data_prep.store.store import Store
from search.features.cache import FeatureCache
from search.features.feature import Progress
from search.features.suffix import Suffix, cut_prefix
from search.samples.batches import ENDLESS, ClipBatches, Frequency, Inputs, Sampling
from search.samples.samples import UNCHANGED, Samples, Walks, training_samples, validation_samples
from search.training.checkpoint import CheckpointFile
from search.training.copy_weights import copy_weights
from search.training.objectives import AUC, GENERALISATION, Objective, ValidationScore
from search.training.predictions import Probabilities
from search.training.validation import Epoch as Epoch
from search.training.validation import EpochCallback, Validation
from spaces.training.names import PAIRWISE
from spaces.training.space import TrainingChoices, compile_detector

_WORKERS = 2


@dataclasses.dataclass(frozen=True)
class TrainingTask:
    """One training, apart from the detector and the choices of how to train it.

    Attributes:
        store: Open store with both labels in ``train`` and ``val``.
        cache: Cache of the features of frozen prefixes.
        seed: Seed of order, views and mixup.
        objective: Objective that chooses the best epoch; ``generalisation`` scores pseudo-fakes,
            too.
        walks: Generated faces, needed for ``choices.gan_fakes``.
        without: Manipulation method of the store that is neither trained on nor validated on.
    """

    store: Store
    cache: FeatureCache
    seed: int
    objective: Objective = AUC
    walks: Walks | None = None
    without: str = ""


@dataclasses.dataclass(frozen=True)
class Fit:
    """A trained detector; the model holds the weights of its best epoch.

    Attributes:
        best: Validation score of the best epoch.
        best_epoch: Number of the best epoch, from 1.
        history: All epochs.
        cached: How many inputs of the trained part came from the feature cache.
        probabilities: float32 (clips,), probabilities of the validation clips at the best epoch.
        resumed: How many epochs an interrupted trial had trained before.
        note: Frozen features that were computed in every epoch, with the reason; mostly empty.
    """

    best: ValidationScore
    best_epoch: int
    history: list[Epoch]
    cached: int
    probabilities: Probabilities
    resumed: int = 0
    note: str = ""


def fit(
    model: keras.Model,
    task: TrainingTask,
    choices: TrainingChoices,
    *,
    shorter: keras.Model | None = None,
    kept: Path | None = None,
    report: Callable[[Epoch], None] | None = None,
    progress: Progress | None = None,
) -> Fit:
    """Train a detector and leave it with the weights of its best validation epoch.

    Frozen prefixes are read from the feature cache. Random changes of training samples are those of
    the views for which the features were computed. Without features, or with ``choices.views`` 0,
    every sample is made anew each time and passes through the whole model. Validation clips are
    never augmented and always use the cache. If the weights are averaged, the averages are
    validated and kept.

    Args:
        model: Detector from ``frames`` and modalities of the store to ``fake_probability``; trained
            in place.
        task: Data, seed and objective.
        choices: How to train.
        shorter: The same detector for clips of fewer frames, see
            :mod:`search.detectors.short_clips`. It is trained instead, on that many consecutive
            frames of every clip; the model receives its weights and is validated on whole clips.
        kept: Checkpoint file, written during the training; a training that was interrupted resumes
            from it.
        report: Called after each epoch, and again for those of the checkpoint; may raise to stop.
        progress: Called while features are computed; may raise to stop.

    Raises:
        FloatingPointError: The loss or a probability is NaN or infinite.
    """
    with _feed(model, task, choices, shorter, progress) as feed:
        follow = functools.partial(copy_weights, shorter, model) if shorter is not None else None
        file = CheckpointFile(kept, _key(task, choices))
        callback = EpochCallback(feed.batches, feed.validation, file, report, follow)
        resumed = _run_epochs(feed, choices, callback)
    callback.restore_best(feed.trained)
    if shorter is not None:
        copy_weights(shorter, model)
    return Fit(
        callback.best,
        callback.best_epoch,
        callback.history,
        cached=feed.cached,
        probabilities=callback.probabilities,
        resumed=resumed,
        note=feed.note,
    )


@dataclasses.dataclass(frozen=True)
class _Feed:
    """Everything that the epochs of one training use.

    Attributes:
        trained: Model that Keras trains: the whole detector, or the part after its features.
        batches: Training batches.
        validation: Validation of the detector.
        cached: How many inputs of the trained part come from the feature cache.
        note: Frozen features that are computed in every epoch, with the reason.
    """

    trained: keras.Model
    batches: ClipBatches
    validation: Validation
    cached: int
    note: str


@contextlib.contextmanager
def _feed(
    model: keras.Model,
    task: TrainingTask,
    choices: TrainingChoices,
    shorter: keras.Model | None,
    progress: Progress | None,
) -> Iterator[_Feed]:
    """Compute or open the features, and prepare batches of them; release both at the end."""
    learner = shorter or model
    frames = shorter.inputs[0].shape[1] if shorter is not None else 0
    train = training_samples(
        task.store,
        choices.pseudo_fakes,
        choices.augmentation,
        frames,
        task.walks if choices.gan_fakes else None,
    )
    val = validation_samples(
        task.store, pseudo_fakes=task.objective == GENERALISATION, frames=frames
    )
    fakes = choices.pseudo_fakes or choices.gan_fakes
    is_random = bool(choices.augmentation != UNCHANGED or fakes or frames)
    views = choices.views if is_random else 0
    # Without stored views, random samples are made anew in every epoch and cannot be cached.
    uncached = is_random and not views
    cuttable = None if uncached else train
    with contextlib.ExitStack() as held:

        def opened(part: keras.Model, shown: Samples | None, judged: Samples | None) -> Suffix:
            return held.enter_context(
                cut_prefix(part, task.cache, shown, judged, views=views, progress=progress)
            )

        validated = opened(model, None if shorter is not None else cuttable, val)
        taught = validated if shorter is None else opened(shorter, cuttable, None)
        names = [tensor.name for tensor in learner.inputs] if uncached else taught.names
        frequency = _frequency(train, task, choices)
        batches = ClipBatches(
            train,
            Inputs(names, taught.train),
            batch_size=choices.batch_size,
            sampling=Sampling(
                task.seed,
                choices.epoch_samples,
                frequency,
                once=frequency is not None and not choices.balanced,
                views=taught.views or (ENDLESS if is_random else 0),
                mixup=choices.mixup,
            ),
            with_sources=choices.loss == PAIRWISE,
            workers=_WORKERS if is_random else 1,
        )
        held.callback(batches.close)
        validated.model.jit_compile = choices.jit_compile
        yield _Feed(
            trained=learner if uncached else taught.model,
            batches=batches,
            validation=Validation(validated, val, task.objective, task.without),
            cached=0 if uncached else len(taught.train),
            note="; ".join(dict.fromkeys(filter(None, (validated.note, taught.note)))),
        )


def _run_epochs(feed: _Feed, choices: TrainingChoices, callback: EpochCallback) -> int:
    """Compile and train; return the number of epochs that a checkpoint already had."""
    compile_detector(feed.trained, choices)
    resumed = callback.resume(feed.trained)
    if resumed < choices.epochs:
        feed.batches.begin(resumed)
        feed.trained.fit(
            feed.batches,
            initial_epoch=resumed,
            epochs=choices.epochs,
            callbacks=[callback],
            verbose=0,
            shuffle=False,
        )
    return resumed


def _key(task: TrainingTask, choices: TrainingChoices) -> str:
    """Return the text that identifies a training in its checkpoint."""
    return f"{choices}/{task.seed}/{task.without}/{task.objective}/{task.store.fingerprint}"


def _frequency(train: Samples, task: TrainingTask, choices: TrainingChoices) -> Frequency | None:
    """Return how often each sample is shown; ``None`` where all are equally frequent."""
    if not (choices.balanced or task.without):
        return None
    shown = train.methods != task.without
    if not choices.balanced:
        return shown.astype(np.float64)
    return train.balanced(choices.pseudo_fakes, shown)
