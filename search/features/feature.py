"""Outputs of one tensor for all samples of a run, read from the feature cache."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from search.features import prefix
from search.features.cache import Entry, FeatureCache, nbytes
from search.samples.batches import Array, StoredClips
from search.samples.samples import Part, Samples

COMPUTE_BATCH = 8

_PACKAGES = ("deepfake-model-search", "keras", "tensorflow", "numpy")

Progress = Callable[[int, int], None]
"""Called with the number of computed clips of a feature, and the number of all."""


class Feature:
    """Outputs of a tensor for training samples, in every view, and for validation samples.

    One entry of the cache is one part of the samples in one view. If the tensor is an input, parts
    that are plain clips of the store are read from the store and not cached.

    Args:
        tensor: Tensor of a flat model.
        cache: Cache of the entries.
        train: Training samples; ``None`` if they are not needed.
        val: Validation samples; ``None`` if they are not needed.
        views: Number of views of each training sample; 0 for samples without random changes.

    Attributes:
        name: Digest of the tensor; equal for equal tensors of two models.
        entries: Open entries of the cache; the owner closes them.
        train: Arrays by training part and view, one if no view differs; filled by :meth:`fill`.
        val: Arrays by validation part, one each.
    """

    def __init__(
        self,
        tensor: keras.KerasTensor,
        cache: FeatureCache,
        train: Samples | None,
        val: Samples | None,
        views: int,
    ) -> None:
        self._tensor = tensor
        self._cache = cache
        self._train, self._val = train, val
        self._views = views
        self._inputs = [above.name for above in prefix.inputs_of(tensor)]
        self.name = prefix.digest(tensor)
        self.entries: list[Entry] = []
        self.train: list[list[Array]] = []
        self.val: list[list[Array]] = []

    @property
    def has_views(self) -> bool:
        """Whether the outputs of a training sample depend on its view."""
        parts = () if self._train is None else self._train.parts
        return any(self._shown(part, self._views) != [None] for part in parts)

    @property
    def nbytes(self) -> int:
        """Bytes of all entries."""
        copies = 0 if self._val is None else len(self._val)
        for part in () if self._train is None else self._train.parts:
            copies += len(part) * len(self._shown(part, self._views))
        return copies * nbytes(self._tensor.shape[1:], self._tensor.dtype)

    def fill(self, progress: Progress | None) -> None:
        """Open every entry, and compute missing ones.

        Args:
            progress: Called with the progress of a computation.

        Raises:
            NoRoomError: One cannot be kept; all entries are closed.
        """
        try:
            if self._val is not None:
                self.val = self._arrays(self._val, 0, progress)
            if self._train is not None:
                self.train = self._arrays(self._train, self._views, progress)
        except BaseException:
            for entry in self.entries:
                entry.close()
            raise

    @functools.cached_property
    def _model(self) -> keras.Model | None:
        """Model that computes the tensor, compiled once for all entries; None for an input."""
        if prefix.is_input(self._tensor):
            return None
        model = prefix.model_before(self._tensor)
        model.jit_compile = False
        return model

    def _shown(self, part: Part, views: int) -> Sequence[int | None]:
        changing = views > 0 and not part.changes(self._inputs).is_plain
        return list(range(views)) if changing else [None]

    def _arrays(self, samples: Samples, views: int, progress: Progress | None) -> list[list[Array]]:
        arrays: list[list[Array]] = []
        for number, part in enumerate(samples.parts):
            if self._model is None and part.changes(self._inputs).is_plain:
                arrays.append([StoredClips(samples.store, part.rows, self._tensor.name)])
                continue
            ours: list[Array] = []
            for view in self._shown(part, views):
                compute = functools.partial(self._compute, samples, number, view, progress)
                shape = (len(part), *self._tensor.shape[1:])
                key = self._key(samples, part, view)
                self.entries.append(self._cache.entry(key, shape, self._tensor.dtype, compute))
                ours.append(self.entries[-1].array)
            arrays.append(ours)
        return arrays

    def _key(self, samples: Samples, part: Part, view: int | None) -> str:
        changes = part.changes(self._inputs).key + ("" if view is None else f"|view {view}")
        versions = [version(package) for package in _PACKAGES]
        text = "/".join([self.name, samples.store.fingerprint, part.name, changes, *versions])
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _compute(
        self, samples: Samples, number: int, view: int | None, progress: Progress | None
    ) -> Iterator[npt.NDArray[Any]]:
        """Yield the outputs by batch; the last is padded, so that all have one size."""
        indices = np.flatnonzero(samples.part == number)
        for start in range(0, len(indices), COMPUTE_BATCH):
            batch = indices[start : start + COMPUTE_BATCH]
            views = None if view is None else np.full(len(batch), view)
            clips = list(samples.make(batch, self._inputs, views).values())
            if self._model is None:
                yield clips[0]
            else:
                padded = [np.resize(clip, (COMPUTE_BATCH, *clip.shape[1:])) for clip in clips]
                yield self._model.predict_on_batch(padded)[: len(batch)]
            if progress is not None:
                progress(start + len(batch), len(indices))
