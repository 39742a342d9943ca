"""What is left of a detector to train when its frozen prefix is read from the feature cache."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from types import TracebackType
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from data_prep.store import Store
from search import prefix
from search.augmentation import CHANGED
from search.feature_cache import Entry, FeatureCache, NoRoomError, amount, nbytes
from search.stream import read_clips

COMPUTE_BATCH = 8

_PACKAGES = ("deepfake-model-search", "keras", "tensorflow", "numpy")

Progress = Callable[[int, int], None]
"""Called with how many clips of a feature are computed, and how many there are."""


@dataclasses.dataclass(frozen=True)
class Suffix:
    """A detector behind its frozen prefix, and what it is fed. Close it when it is trained.

    Attributes:
        model: cut tensors to ``fake_probability``; shares layers with the whole model, and is the
            whole model where nothing is cut off.
        names: of its inputs: ``frames``, a modality of the store, or keys of the features.
        train: cached outputs for the training split, clips in the order of its rows, by name: one
            array a view, or one where no view changes what they are made of.
        val: the same for the validation split, one array each, never augmented.
        views: how many views of a training clip there are; 0 where no feature depends on them.
        note: what could not be cached and why; empty when all was.
    """

    model: keras.Model
    names: list[str]
    train: Mapping[str, Sequence[npt.NDArray[Any]]]
    val: Mapping[str, Sequence[npt.NDArray[Any]]]
    views: int
    note: str
    _entries: Sequence[Entry]

    def close(self) -> None:
        """Let the features be removed from the cache; they stay readable here."""
        for entry in self._entries:
            entry.close()

    def __enter__(self) -> Suffix:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def cut(
    model: keras.Model,
    store: Store,
    cache: FeatureCache,
    *,
    views: int = 0,
    train: bool = True,
    progress: Progress | None = None,
) -> Suffix:
    """Cut a detector behind its frozen prefix and make sure the prefix's outputs are cached.

    Where to cut is told in :func:`search.prefix.cuts`. Features are kept in the dtype of their
    tensor, so that they come back to the last bit. Test clips are never read. Features for which
    the cache has no room are computed by what is trained, as though they were not frozen.

    Args:
        model: a detector whose inputs are ``frames`` and modalities of the store, by name.
        store: the store the run is made on.
        cache: where features are kept.
        views: augmented copies of each training clip; 0 for the clip as it is.
        train: ``False`` for the validation split alone.
        progress: told how far a computation is.
    """
    flat = prefix.flat(model)
    tensors: list[keras.KerasTensor] = []
    names: list[str] = []
    kept: dict[str, _Feature] = {}
    notes: list[str] = []
    for tensor in prefix.cuts(flat):
        if prefix.is_input(tensor):
            tensors.append(tensor)
            names.append(tensor.name)
            continue
        feature = _Feature(tensor, store, views, train)
        try:
            if feature.name not in kept:
                taken = sum(other.nbytes for other in kept.values())
                if taken + feature.nbytes > cache.room():
                    raise NoRoomError(
                        f"{amount(taken + feature.nbytes)} do not fit into {amount(cache.room())}"
                    )
                feature.fill(cache, progress)
                kept[feature.name] = feature
            tensors.append(tensor)
            names.append(feature.name)
        except NoRoomError as error:
            notes.append(f"frozen features not cached: {error}")
            for above in prefix.inputs_of(tensor):
                tensors.append(above)
                names.append(above.name)
    uncut = not kept and len(flat.inputs) == len(model.inputs)
    return Suffix(
        model=model if uncut else prefix.behind(flat, tensors, names),
        names=[tensor.name for tensor in model.inputs] if uncut else list(dict.fromkeys(names)),
        train={name: feature.train for name, feature in kept.items()},
        val={name: feature.val for name, feature in kept.items()},
        views=views if any(feature.has_views for feature in kept.values()) else 0,
        note="; ".join(dict.fromkeys(notes)),
        _entries=[entry for feature in kept.values() for entry in feature.entries],
    )


class _Feature:
    """The outputs of one tensor for the training split, in every view, and validation split."""

    def __init__(self, tensor: keras.KerasTensor, store: Store, views: int, train: bool) -> None:
        self._tensor = tensor
        self._store = store
        self._inputs = [above.name for above in prefix.inputs_of(tensor)]
        self.has_views = views > 0 and any(name in CHANGED for name in self._inputs)
        # The validation split, then the training split in each of its views.
        self._parts: list[tuple[str, int | None]] = [("val", None)]
        if train:
            shown = range(views) if self.has_views else [None]
            self._parts += [("train", view) for view in shown]
        self.name = prefix.digest(tensor)
        self.entries: list[Entry] = []

    @property
    def nbytes(self) -> int:
        """Bytes of all entries."""
        return sum(nbytes(self._shape(split), self._tensor.dtype) for split, _ in self._parts)

    @property
    def val(self) -> list[npt.NDArray[Any]]:
        """For the validation split."""
        return [self.entries[0].array]

    @property
    def train(self) -> list[npt.NDArray[Any]]:
        """For the training split, one a view."""
        return [entry.array for entry in self.entries[1:]]

    @functools.cached_property
    def _model(self) -> keras.Model:
        """What computes the tensor; compiled once for all entries."""
        model = prefix.before(self._tensor)
        model.jit_compile = False
        return model

    def fill(self, cache: FeatureCache, progress: Progress | None) -> None:
        """Open every entry, computing what is not there.

        Raises:
            NoRoomError: one cannot be kept; none is held then.
        """
        try:
            for split, view in self._parts:
                self.entries.append(
                    cache.entry(
                        self._key(split, view),
                        self._shape(split),
                        self._tensor.dtype,
                        functools.partial(self._compute, split, view, progress),
                    )
                )
        except BaseException:
            for entry in self.entries:
                entry.close()
            raise

    def _shape(self, split: str) -> tuple[int, ...]:
        return (len(self._store.rows(split)), *self._tensor.shape[1:])

    def _key(self, split: str, view: int | None) -> str:
        shown = "plain" if view is None else f"view {view}"
        versions = [version(package) for package in _PACKAGES]
        text = "/".join([self.name, self._store.fingerprint, split, shown, *versions])
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _compute(
        self, split: str, view: int | None, progress: Progress | None
    ) -> Iterator[npt.NDArray[Any]]:
        """The outputs batch by batch; the last is filled up, so that all are computed alike."""
        rows = self._store.rows(split)
        for start in range(0, len(rows), COMPUTE_BATCH):
            taken = rows[start : start + COMPUTE_BATCH]
            filled = np.resize(taken, COMPUTE_BATCH)
            views = None if view is None else np.full(COMPUTE_BATCH, view)
            clips = read_clips(self._store, filled, self._inputs, views)
            yield self._model.predict_on_batch(list(clips.values()))[: len(taken)]
            if progress is not None:
                progress(start + len(taken), len(rows))
