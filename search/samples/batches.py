"""Batches of samples: clips and cached features, read from disk when they are needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt

from data_prep.store.store import Store
from search.samples.mixup import mix
from search.samples.order import paired_order, whole_order
from search.samples.samples import FRAMES, UNCHANGED, Samples

ENDLESS = 2**62
"""A number of views so large that none is shown twice: every sample is made anew each time."""


class Array(Protocol):
    """Features of one part: an array, or an object that returns the same by index."""

    def __getitem__(self, index: int, /) -> npt.NDArray[Any]: ...


Frequency = npt.NDArray[np.float64]

Features = Mapping[str, Sequence[Sequence[Array]]]
"""Arrays by feature name, part of the samples and view; one array where no view differs."""


class StoredClips:
    """The arrays of some rows of a store, each read when it is needed.

    Args:
        store: An open store.
        rows: Rows of the store.
        name: ``frames`` or a modality.
    """

    def __init__(self, store: Store, rows: npt.NDArray[np.int64], name: str) -> None:
        self._store = store
        self._rows = rows
        self._name = name

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        return self._store.read(self._rows[index : index + 1], self._name)[0]


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Inputs of a model.

    Attributes:
        names: In the order of the model's inputs: ``frames``, a modality of the store, or the name
            of a feature.
        features: Cached features by name; the other inputs are made from the store.
    """

    names: Sequence[str] = (FRAMES,)
    features: Features = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Random choices of every epoch.

    Attributes:
        seed: Seed of order, views and mixup.
        count: Number of samples of an epoch; 0 shows each of positive frequency about once.
        frequency: (n,), how often each sample is shown; ``None`` shows all equally often. Labels
            alternate, and a fake follows the real clip it was made from, in the same view: see
            :func:`search.samples.order.paired_order`.
        once: Show no sample of positive frequency again before all others, without pairs.
        views: Number of views of each sample; an epoch shows a random one. :data:`ENDLESS` where no
            view is stored, 0 for samples without random changes.
        mixup: Strength of the blending, see :func:`search.samples.mixup.mix`; 0 for none.
    """

    seed: int
    count: int = 0
    frequency: Frequency | None = None
    once: bool = False
    views: int = 0
    mixup: float = 0.0


_IN_ORDER = Sampling(seed=0)


class ClipBatches(keras.utils.PyDataset):
    """Batches for ``fit`` and ``predict``; never more than a few in memory.

    Args:
        samples: Samples to show.
        inputs: Inputs of the model.
        batch_size: Samples in a batch.
        sampling: Random choices of every epoch; ``None`` keeps the order of the samples.
        with_sources: Add a column to the labels that marks samples of one source.
        workers: Threads that prepare batches; the batches do not depend on them.

    Raises:
        ValueError: The samples are augmented, and ``sampling`` has no views.
    """

    def __init__(
        self,
        samples: Samples,
        inputs: Inputs | None = None,
        *,
        batch_size: int = 8,
        sampling: Sampling | None = None,
        with_sources: bool = False,
        workers: int = 1,
    ) -> None:
        super().__init__(workers=workers, max_queue_size=4)
        inputs = inputs or Inputs()
        self._shuffled = sampling is not None
        self._sampling = sampling or _IN_ORDER
        augmented = any(part.augmentation != UNCHANGED for part in samples.parts)
        if augmented and not self._sampling.views:
            raise ValueError("augmented samples are shown in views. Received: views=0")
        self._samples = samples
        self._names = list(inputs.names)
        self._features = dict(inputs.features)
        self._batch_size = batch_size
        self._with_sources = with_sources
        # Numbers are found and compared faster than keys.
        _, self._sources = np.unique(samples.sources, return_inverse=True)
        self._epoch = 0
        self._epoch_is_set = False
        self._shuffle()

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, npt.NDArray[np.float32]]:
        """Return inputs and float labels (B, 1); a second column may mark the sources."""
        rows = slice(index * self._batch_size, (index + 1) * self._batch_size)
        shown = self._order[rows]
        views = self._shown_views[rows] if self._sampling.views else None
        made = [name for name in self._names if name not in self._features]
        inputs: dict[str, npt.NDArray[Any]] = self._samples.make(shown, made, views)
        for name in self._names:
            if name not in inputs:
                inputs[name] = self._read(name, shown, views)
        labels = self._samples.labels[shown].astype(np.float32)[:, None]
        if self._sampling.mixup:
            rng = np.random.default_rng([*self._key, index])
            inputs, labels = mix(inputs, labels, self._sampling.mixup, rng)
        if self._with_sources:
            _, source = np.unique(self._sources[shown], return_inverse=True)
            labels = np.concatenate([labels, source[:, None].astype(np.float32)], axis=1)
        arrays = [inputs[name] for name in self._names]
        return arrays[0] if len(arrays) == 1 else tuple(arrays), labels

    def close(self) -> None:
        """Release the features: TensorFlow keeps every data set until the process ends."""
        self._features = {}

    def on_epoch_end(self) -> None:
        """Choose the samples, the order and the views of the next epoch."""
        if not self._epoch_is_set:
            self._epoch += 1
            self._shuffle()

    def begin(self, epoch: int) -> None:
        """Show an epoch, from 0, until the next call.

        Without a call, the next epoch follows each time Keras ends one. Keras ends one more in the
        first ``fit`` of a model, after it has read the first batch.
        """
        moved, self._epoch_is_set, self._epoch = epoch != self._epoch, True, epoch
        if moved:
            self._shuffle()

    @property
    def _key(self) -> list[int]:
        """Seed of this epoch, independent of earlier epochs."""
        return [self._sampling.seed, self._epoch]

    def _shuffle(self) -> None:
        rng = np.random.default_rng(self._key)
        self._order = self._epoch_order(rng)
        if self._sampling.views:
            self._shown_views = rng.integers(self._sampling.views, size=len(self._order))
            if self._sampling.frequency is not None and not self._sampling.once:
                self._shown_views[1::2] = self._shown_views[: len(self._order) // 2 * 2 : 2]

    def _epoch_order(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Return the samples of this epoch in their order."""
        labels = self._samples.labels
        if not self._shuffled:
            return np.arange(len(labels))
        frequency = self._sampling.frequency
        if frequency is None:
            return whole_order(labels, self._sampling.count or len(labels), rng)
        ours = np.flatnonzero(frequency > 0)
        count = self._sampling.count or len(ours)
        if self._sampling.once:
            return ours[whole_order(labels[ours], count, rng)]
        return paired_order(labels, frequency, self._sources, count, rng)

    def _read(
        self, name: str, shown: npt.NDArray[np.int64], views: npt.NDArray[np.int64] | None
    ) -> npt.NDArray[Any]:
        """Return one feature of samples, each from the arrays of its part and its view."""
        parts = self._features[name]
        found = []
        for number, sample in enumerate(shown):
            arrays = parts[self._samples.part[sample]]
            view = 0 if views is None or len(arrays) == 1 else int(views[number])
            found.append(arrays[view][int(self._samples.within[sample])])
        return np.stack(found)
