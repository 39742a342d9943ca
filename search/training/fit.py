"""Train one detector on the training split, watching the validation split."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from data_prep.store.store import Store
from search.features.cache import BUDGET, FeatureCache
from search.features.feature import Progress
from search.features.suffix import cut
from search.samples.batches import ENDLESS, ClipBatches, Frequency
from search.samples.samples import UNCHANGED, Samples, Walks, training_samples, validation_samples
from search.samples.subsets import nested, share
from search.training.copy_weights import copy_weights
from search.training.objectives import AUC, GENERALISATION, Objective, ValidationScore
from search.training.validation import Epoch as Epoch
from search.training.validation import Watch
from spaces.training.names import PAIRWISE
from spaces.training.space import TrainingChoices, compile_detector

_WORKERS = 2


@dataclasses.dataclass(frozen=True)
class Fit:
    """A trained detector; the model holds the weights of its best epoch.

    Attributes:
        best: score of that epoch on the validation samples.
        best_epoch: counted from 1.
        history: every epoch.
        cached: how many inputs of the trained part came from the feature cache.
        probabilities: float32 (clips,), what that epoch says of the validation clips.
        resumed: how many epochs were trained before, by a trial that was interrupted.
        note: what was frozen and yet computed in every epoch, and why; mostly empty.
    """

    best: ValidationScore
    best_epoch: int
    history: list[Epoch]
    cached: int
    probabilities: npt.NDArray[np.float32]
    resumed: int = 0
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
    growing: bool = False,
    without: str = "",
    kept: Path | None = None,
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
        budget: of the cache in bytes; see :class:`search.features.cache.FeatureCache`.
        objective: which epoch is best; ``generalisation`` looks at pseudo-fakes, too.
        shorter: the detector for clips of fewer frames, see
        :func:`search.detectors.short_clips.shorter`. It is
            trained in the place of the model, on as many consecutive frames of every clip; the
            model is given its weights, and validated on whole clips.
        walks: generated faces, what ``choices.gan_fakes`` needs.
        growing: early epochs show a part of the samples, see :mod:`search.samples.subsets`.
        Weights,
            optimizer and schedule go on across the change.
        without: a manipulation method of the store that is neither trained on nor chooses the best
            epoch.
        kept: file that the state of the training is kept in after each epoch, and gone on from
            where there is one of the same training.
        report: called after each epoch, and again for those of the checkpoint; may raise to stop.
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
        frequency = _frequency(train, choices, growing, without)
        batches = ClipBatches(
            train,
            [tensor.name for tensor in learner.inputs] if anew else taught.names,
            taught.train,
            batch_size=choices.batch_size,
            shuffle_seed=seed,
            frequency=frequency,
            once=frequency is not None and not choices.balanced,
            tell_sources=choices.loss == PAIRWISE,
            views=taught.views or (ENDLESS if changing else 0),
            mixup=choices.mixup,
            workers=_WORKERS if changing else 1,
        )
        judged.model.jit_compile = choices.jit_compile
        follow = functools.partial(copy_weights, learner, model) if shorter else None
        key = f"{choices}/{seed}/{growing}/{without}/{objective}/{train.store.fingerprint}"
        watch = Watch(batches, judged, val, report, follow, objective, without, kept, key)
        steps = [batches.steps(epoch) for epoch in range(choices.epochs)]
        compile_detector(trained, choices, steps[-1], sum(steps))
        with contextlib.closing(batches):
            resumed = epoch = watch.resume(trained)
            while epoch < choices.epochs:
                batches.begin(epoch)
                # Keras asks for the length of an epoch once.
                alike = itertools.takewhile(steps[epoch].__eq__, steps[epoch:])
                until = epoch + len(list(alike))
                trained.fit(
                    batches,
                    initial_epoch=epoch,
                    epochs=until,
                    callbacks=[watch],
                    verbose=0,
                    shuffle=False,
                )
                watch.keep_on()
                epoch = until
    watch.restore_best(trained)
    if shorter:
        copy_weights(shorter, model)
    notes = dict.fromkeys(filter(None, (judged.note, taught.note)))
    return Fit(
        watch.best,
        watch.best_epoch,
        watch.history,
        cached=0 if anew else len(taught.train),
        probabilities=watch.probabilities,
        resumed=resumed,
        note="; ".join(notes),
    )


def _frequency(
    train: Samples, choices: TrainingChoices, growing: bool, without: str
) -> Callable[[int], Frequency] | None:
    """How often each sample is drawn in an epoch; ``None`` where all are shown once."""
    if not (choices.balanced or growing or without):
        return None

    @functools.cache
    def of_share(part: float) -> Frequency:
        shown = nested(train, part) & (train.methods != without)
        if not choices.balanced:
            return shown.astype(np.float64)
        return train.balanced(choices.pseudo_fakes, shown)

    def frequency(epoch: int) -> Frequency:
        return of_share(share(epoch, choices.epochs) if growing else 1.0)

    return frequency
