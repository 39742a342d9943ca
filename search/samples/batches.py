"""Samples to batches: clips and cached features read from disk as they are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt

from data_prep.store.store import Store
from search.samples.mixup import mix
from search.samples.order import paired_order, whole_order
from search.samples.samples import FRAMES, UNCHANGED, Samples

ENDLESS = 2**62
"""So many views that none is shown twice: every sample is made anew each time."""


class Array(Protocol):
    """What one part's features are read from: an array, or what gives the same by its place."""

    def __getitem__(self, place: int, /) -> npt.NDArray[Any]: ...


Frequency = npt.NDArray[np.float64]

Features = Mapping[str, Sequence[Sequence[Array]]]
"""By name the features of each part of the samples, of which one array, or one a view."""


class StoredClips:
    """The arrays of some rows of a store, read when they are asked for.

    Args:
        store: an open store.
        rows: of it.
        name: ``frames`` or a modality.
    """

    def __init__(self, store: Store, rows: npt.NDArray[np.int64], name: str) -> None:
        self._store = store
        self._rows = rows
        self._name = name

    def __getitem__(self, place: int) -> npt.NDArray[Any]:
        return self._store.read(self._rows[place : place + 1], self._name)[0]


class ClipBatches(keras.utils.PyDataset):
    """Batches for ``fit`` and ``predict``; never more than a few in memory.

    Args:
        samples: what is shown.
        names: what the model takes, in the order of its inputs: ``frames``, a modality of the
            store, or keys of features.
        features: what need not be made of the store, by name.
        batch_size: samples.
        shuffle_seed: draws a new order each epoch; ``None`` keeps the order of the samples.
        frequency: (n,), how often each sample is drawn, both labels in turn and fakes beside what
            they were made from, in the same view: see :func:`search.samples.order.paired_order`;
            ``None``
            shows every sample once.
        tell_sources: tell a loss which samples of a batch are of one source.
        views: how many views of each sample there are, of which each is shown in one drawn anew;
            :data:`ENDLESS` where none is stored, 0 for samples that nothing random is done to.
        mixup: blends batches, see :func:`search.samples.mixup.mix`; 0 leaves them.
        workers: threads that prepare batches; the batches do not depend on them.
    """

    def __init__(
        self,
        samples: Samples,
        names: Sequence[str] = (FRAMES,),
        features: Features | None = None,
        *,
        batch_size: int = 8,
        shuffle_seed: int | None = None,
        frequency: Frequency | Callable[[int], Frequency] | None = None,
        once: bool = False,
        tell_sources: bool = False,
        views: int = 0,
        mixup: float = 0.0,
        workers: int = 1,
    ) -> None:
        super().__init__(workers=workers, max_queue_size=4)
        drawn = bool(views or mixup or frequency is not None)
        if shuffle_seed is None and drawn:
            raise ValueError("what is drawn needs a seed. Received: shuffle_seed=None")
        if not views and any(part.augmentation != UNCHANGED for part in samples.parts):
            raise ValueError("augmented samples are shown in views. Received: views=0")
        self._samples = samples
        self._names = list(names)
        self._features = dict(features or {})
        self._batch_size = batch_size
        self._seed = shuffle_seed
        self._frequency = frequency
        self._once = once
        self._tell_sources = tell_sources
        self._views = views
        self._mixup = mixup
        self._epoch = 0
        self._told = False
        self._draw()

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, npt.NDArray[np.float32]]:
        """Inputs, and float labels (B, 1); a second column may tell the sources."""
        slots = slice(index * self._batch_size, (index + 1) * self._batch_size)
        places = self._order[slots]
        views = self._shown[slots] if self._views else None
        made = [name for name in self._names if name not in self._features]
        inputs: dict[str, npt.NDArray[Any]] = self._samples.make(places, made, views)
        for name in self._names:
            if name not in inputs:
                inputs[name] = self._read(name, places, views)
        labels = self._samples.labels[places].astype(np.float32)[:, None]
        if self._mixup:
            rng = np.random.default_rng([*self._key, index])
            inputs, labels = mix(inputs, labels, self._mixup, rng)
        if self._tell_sources:
            _, source = np.unique(self._samples.sources[places], return_inverse=True)
            labels = np.concatenate([labels, source[:, None].astype(np.float32)], axis=1)
        given = [inputs[name] for name in self._names]
        return given[0] if len(given) == 1 else tuple(given), labels

    def close(self) -> None:
        """Let go of the features: TensorFlow keeps what it was fed from for as long as it runs."""
        self._features = {}

    def on_epoch_end(self) -> None:
        """Draw the next epoch: its samples, their order and their views."""
        if not self._told:
            self._epoch += 1
            self._draw()

    def begin(self, epoch: int) -> None:
        """Show an epoch, from 0, until told of another.

        Left alone, the next one follows whenever Keras ends one, which it also does once more in
        the first ``fit`` of a model, after a look at the first batch.
        """
        moved, self._told, self._epoch = epoch != self._epoch, True, epoch
        if moved:
            self._draw()

    def steps(self, epoch: int) -> int:
        """How many batches an epoch has."""
        frequency = None if self._seed is None else self._frequency_in(epoch)
        if frequency is None:
            return -(-len(self._samples) // self._batch_size)
        shown = frequency > 0
        both = len(np.unique(self._samples.labels[shown])) == 2
        count = int(shown.sum())
        # As many reals as fakes, unless each is shown once.
        count += count % 2 if both and not self._once else 0
        return -(-count // self._batch_size)

    @property
    def _key(self) -> list[int]:
        """Seeds what is drawn in this epoch, so that it depends on no earlier one."""
        return [self._seed or 0, self._epoch]

    def _draw(self) -> None:
        rng = np.random.default_rng(self._key)
        self._order = self._drawn(self._epoch, rng)
        if self._views:
            self._shown = rng.integers(self._views, size=len(self._order))
            if self._frequency is not None and not self._once:
                self._shown[1::2] = self._shown[: len(self._order) // 2 * 2 : 2]

    def _frequency_in(self, epoch: int) -> Frequency | None:
        return self._frequency(epoch) if callable(self._frequency) else self._frequency

    def _drawn(self, epoch: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """The samples of an epoch in their order."""
        labels = self._samples.labels
        if self._seed is None:
            return np.arange(len(labels))
        frequency = self._frequency_in(epoch)
        if frequency is None:
            return whole_order(labels, rng)
        if self._once:
            ours = np.flatnonzero(frequency > 0)
            return ours[whole_order(labels[ours], rng)]
        return paired_order(labels, frequency, self._samples.sources, rng)

    def _read(
        self, name: str, places: npt.NDArray[np.int64], views: npt.NDArray[np.int64] | None
    ) -> npt.NDArray[Any]:
        """Features of samples, each of its part and of the view it shows."""
        parts = self._features[name]
        found = []
        for at, place in enumerate(places):
            arrays = parts[self._samples.part[place]]
            view = 0 if views is None or len(arrays) == 1 else int(views[at])
            found.append(arrays[view][int(self._samples.within[place])])
        return np.stack(found)
