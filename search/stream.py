"""Store to batches: clips and cached features read from disk as they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from data_prep.modalities import with_grey
from data_prep.store import Store

FRAMES = "frames"


class ClipBatches(keras.utils.PyDataset):
    """Batches for ``fit`` and ``predict``; never more than a batch in memory.

    Args:
        store: an open store.
        rows: store rows, one a clip.
        names: what the model takes, in the order of its inputs: ``frames`` or keys of features.
        features: cached arrays (rows of the store, ...) by name, memory-mapped.
        batch_size: clips.
        shuffle_seed: draws a new order each epoch; ``None`` keeps the order of ``rows``.
        balanced: weigh clips so that both labels count equally.
        augment: flip, brightness, contrast and noise; needs ``frames``.
    """

    def __init__(
        self,
        store: Store,
        rows: npt.NDArray[np.int64],
        names: Sequence[str] = (FRAMES,),
        features: Mapping[str, npt.NDArray[Any]] | None = None,
        *,
        batch_size: int = 8,
        shuffle_seed: int | None = None,
        balanced: bool = False,
        augment: bool = False,
    ) -> None:
        super().__init__()
        self._store = store
        self._order = np.array(rows)
        self._names = list(names)
        self._features = features or {}
        self._batch_size = batch_size
        self._augment = augment
        if augment and shuffle_seed is None:
            raise ValueError("augmentation needs a seed. Received: shuffle_seed=None")
        self._rng = None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
        self._weights = class_weights(store.labels[rows]) if balanced else np.ones(2, np.float32)
        if self._rng is not None:
            self._rng.shuffle(self._order)

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Inputs, float labels (B, 1) and sample weights (B,)."""
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        inputs = [
            self._frames(rows) if name == FRAMES else self._features[name][rows]
            for name in self._names
        ]
        labels = self._store.labels[rows]
        return (
            inputs[0] if len(inputs) == 1 else tuple(inputs),
            labels.astype(np.float32)[:, None],
            self._weights[labels],
        )

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        if self._rng is not None:
            self._rng.shuffle(self._order)

    def _frames(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        frames = self._store.read(rows)
        if self._augment and self._rng is not None:
            for clip in frames:
                augment(clip, self._rng)
        return frames


def class_weights(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Weight of a real and of a fake clip, mean 1 over the clips, both labels equal in sum."""
    counts = np.bincount(labels, minlength=2)
    return (len(labels) / (2 * np.maximum(counts, 1))).astype(np.float32)


def augment(clip: npt.NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Change a clip (T, H, W, 4) in place: mirror, brightness, contrast, noise; grey follows.

    One draw a clip: frames of a clip share it, so that motion stays what it was. Noise is drawn
    anew for each frame, as a camera does.
    """
    if rng.random() < 0.5:
        clip[:] = clip[:, :, ::-1].copy()
    contrast, brightness = rng.uniform(0.85, 1.15), rng.uniform(-12, 12)
    colour = clip[..., :3].astype(np.float32)
    colour = (colour - 128) * contrast + 128 + brightness
    colour += rng.normal(0, rng.uniform(0, 3), colour.shape).astype(np.float32)
    clip[:] = with_grey(np.clip(np.rint(colour), 0, 255).astype(np.uint8))
