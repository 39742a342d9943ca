"""Store to batches: clips and cached features read from disk as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from data_prep.store import Store
from search.augmentation import augment, generator_of

FRAMES = "frames"


class ClipBatches(keras.utils.PyDataset):
    """Batches for ``fit`` and ``predict``; never more than a batch in memory.

    Args:
        store: an open store.
        rows: store rows, one a clip.
        names: what the model takes, in the order of its inputs: ``frames``, a modality of the
            store, or keys of features.
        features: cached arrays by name, clips in the order of ``rows``: one array, or one a view.
        batch_size: clips.
        shuffle_seed: draws a new order each epoch; ``None`` keeps the order of ``rows``.
        balanced: weigh clips so that both labels count equally.
        augment: change the clips, every time anew; see :func:`search.augmentation.augment`.
        views: instead, show one of so many stored views of each clip, drawn each epoch: features
            are read from the array of that view, and what comes from the store is changed as it
            was for that array.
    """

    def __init__(
        self,
        store: Store,
        rows: npt.NDArray[np.int64],
        names: Sequence[str] = (FRAMES,),
        features: Mapping[str, Sequence[npt.NDArray[Any]]] | None = None,
        *,
        batch_size: int = 8,
        shuffle_seed: int | None = None,
        balanced: bool = False,
        augment: bool = False,
        views: int = 0,
    ) -> None:
        super().__init__()
        self._store = store
        self._rows = np.array(rows)
        self._order = np.arange(len(self._rows))
        self._names = list(names)
        self._features = dict(features or {})
        self._batch_size = batch_size
        self._augment = augment
        self._views = views
        self._shown = np.zeros(len(self._rows), np.int64)
        if (augment or views) and shuffle_seed is None:
            raise ValueError("augmentation needs a seed. Received: shuffle_seed=None")
        self._rng = None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
        self._weights = class_weights(store.labels[rows]) if balanced else np.ones(2, np.float32)
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Inputs, float labels (B, 1) and sample weights (B,)."""
        places = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        rows = self._rows[places]
        stored = [name for name in self._names if name not in self._features]
        clips = read_clips(self._store, rows, stored, self._shown[places] if self._views else None)
        if self._augment and self._rng is not None:
            for clip in _each(clips):
                augment(clip, self._rng)
        inputs = [
            clips[name] if name in clips else self._read(name, places) for name in self._names
        ]
        labels = self._store.labels[rows]
        return (
            inputs[0] if len(inputs) == 1 else tuple(inputs),
            labels.astype(np.float32)[:, None],
            self._weights[labels],
        )

    def close(self) -> None:
        """Let go of the features: TensorFlow keeps what it was fed from for as long as it runs."""
        self._features = {}

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order, and which view of each clip it shows."""
        if self._rng is not None:
            self._rng.shuffle(self._order)
            if self._views:
                self._shown = self._rng.integers(self._views, size=len(self._rows))

    def _read(self, name: str, places: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        arrays = self._features[name]
        if len(arrays) == 1:
            return arrays[0].take(places, axis=0)
        return np.stack([arrays[self._shown[place]][place] for place in places])


def read_clips(
    store: Store,
    rows: npt.NDArray[np.int64],
    names: Sequence[str],
    views: npt.NDArray[np.int64] | None = None,
) -> dict[str, npt.NDArray[Any]]:
    """Stored arrays of clips by name, each (len(rows), ...).

    Args:
        store: an open store.
        rows: in any order.
        names: ``frames`` or modalities of the store.
        views: number of the augmented view of each clip; ``None`` for the clips as they are.
    """
    clips = {name: store.read(rows, name) for name in names}
    if views is not None:
        for clip, row, view in zip(_each(clips), rows, views, strict=False):
            augment(clip, generator_of(int(view), str(store.keys[row])))
    return clips


def _each(clips: Mapping[str, npt.NDArray[Any]]) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """One clip after the other, to be changed in place."""
    for place in range(len(next(iter(clips.values()), ()))):
        yield {name: batch[place] for name, batch in clips.items()}


def class_weights(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Weight of a real and of a fake clip, mean 1 over the clips, both labels equal in sum."""
    counts = np.bincount(labels, minlength=2)
    return (len(labels) / (2 * np.maximum(counts, 1))).astype(np.float32)
