"""The trained part of a detector whose frozen prefix is read from the feature cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import TracebackType

import keras

from search.features import prefix
from search.features.cache import Entry, FeatureCache, NoRoomError, readable_bytes
from search.features.feature import Feature, Progress
from search.samples.batches import Features
from search.samples.samples import Samples


@dataclasses.dataclass(frozen=True)
class Suffix:
    """A detector after its frozen prefix, and its inputs. Close it after the training.

    Attributes:
        model: Cut tensors to ``fake_probability``. It shares layers with the whole model, and is
            the whole model if nothing is cut off.
        names: Names of its inputs: ``frames``, a modality of the store, or keys of the features.
        train: Cached outputs for the training samples by name.
        val: Cached outputs for the validation samples, and inputs that include pseudo-fakes.
        views: Number of views of a training sample; 0 if no feature depends on them.
        note: Features that could not be cached, with the reason; empty if all were.
    """

    model: keras.Model
    names: list[str]
    train: Features
    val: Features
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


def cut_prefix(
    model: keras.Model,
    cache: FeatureCache,
    train: Samples | None,
    val: Samples | None,
    *,
    views: int = 0,
    progress: Progress | None = None,
) -> Suffix:
    """Cut a detector after its frozen prefix and make sure the prefix's outputs are cached.

    :func:`search.features.prefix.find_cuts` decides where to cut. Features keep the dtype of their
    tensor, so that cached values are exact. No other samples are read. Features for which the cache
    has no room are computed by the trained part, as if they were not frozen. Pseudo-fakes of
    validation that are inputs of the rest of the model are cached, too: every epoch of every trial
    is scored on them.

    Args:
        model: Detector whose inputs are ``frames`` and modalities of the store, by name.
        cache: Cache of the features.
        train: Training samples; ``None`` for the validation samples alone.
        val: Validation samples; ``None`` for the training samples alone.
        views: Number of views of each training sample; 0 for samples without random changes.
        progress: Called with the progress of a computation.
    """
    flat = prefix.flatten(model)
    tensors: list[keras.KerasTensor] = []
    names: list[str] = []
    kept: dict[str, Feature] = {}
    notes: list[str] = []
    for tensor in prefix.find_cuts(flat):
        if prefix.is_input(tensor):
            tensors.append(tensor)
            names.append(tensor.name)
            continue
        feature = Feature(tensor, cache, train, val, views)
        try:
            if feature.name not in kept:
                wanted = sum(other.nbytes for other in kept.values()) + feature.nbytes
                if wanted > cache.room():
                    room = readable_bytes(cache.room())
                    raise NoRoomError(f"{readable_bytes(wanted)} do not fit into {room}")
                feature.fill(progress)
                kept[feature.name] = feature
            tensors.append(tensor)
            names.append(feature.name)
        except NoRoomError as error:
            notes.append(f"frozen features not cached: {error}")
            for above in prefix.inputs_of(tensor):
                tensors.append(above)
                names.append(above.name)
    uncut = not kept and len(flat.inputs) == len(model.inputs)
    made: dict[str, Feature] = {}
    parts = () if val is None else val.parts
    for tensor in flat.inputs:
        if tensor.name in names and not all(part.changes([tensor.name]).is_plain for part in parts):
            feature = Feature(tensor, cache, None, val, 0)
            try:
                feature.fill(progress)
                made[tensor.name] = feature
            except NoRoomError as error:
                notes.append(f"pseudo-fakes of validation made in every epoch: {error}")
    return Suffix(
        model=model if uncut else prefix.model_behind(flat, tensors, names),
        names=[tensor.name for tensor in model.inputs] if uncut else list(dict.fromkeys(names)),
        train={name: feature.train for name, feature in kept.items()},
        val={name: feature.val for name, feature in (kept | made).items()},
        views=views if any(feature.has_views for feature in kept.values()) else 0,
        note="; ".join(dict.fromkeys(notes)),
        _entries=[entry for one in (kept | made).values() for entry in one.entries],
    )
