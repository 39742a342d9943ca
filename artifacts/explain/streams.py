"""Weight of each stream of a detector in a clip."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import keras
import numpy as np
import numpy.typing as npt

from artifacts.explain.layers import Arrays, is_entered
from spaces import fusion

Weights: TypeAlias = dict[str, "npt.NDArray[np.float32]"]
_Read: TypeAlias = Callable[[Arrays], "npt.NDArray[np.floating]"]

ATTENTION, GATED, CONCATENATION, SINGLE, SEVERAL = (
    "attention",
    "gated",
    "concatenation",
    "single",
    "several",
)

_PROJECTION = "fusion_project_"
_BATCH = 8


def members(model: keras.Model) -> list[tuple[keras.Model, float]]:
    """Return the detectors that a model averages, with their shares; itself if it is single."""
    inner = [layer for layer in model.layers if is_entered(layer)]
    if not inner:
        return [(model, 1.0)]
    offsets = model.get_layer("fake_weighted").offset
    return [(one, math.exp(offset)) for one, offset in zip(inner, offsets, strict=True)]


def stream_names(model: keras.Model) -> list[str]:
    """Return the stream names of a detector, or of all members of an ensemble, in order."""
    found: dict[str, None] = {}
    for member, _ in members(model):
        found |= dict.fromkeys(name for name, _ in projections(member))
    return list(found)


def projections(member: keras.Model) -> Iterator[tuple[str, keras.Layer]]:
    """Yield each stream of a single detector, and the layer that projects it."""
    for layer in member.layers:
        if layer.name.startswith(_PROJECTION):
            yield layer.name.removeprefix(_PROJECTION), layer


def fusion_kind(model: keras.Model) -> str:
    """Return the kind of fusion of a detector, which :class:`StreamWeights` needs.

    Of :data:`spaces.fusion.KINDS`, ``single`` where there is one stream or none, and ``several``
    where the members of an ensemble do it in different ways.
    """
    kinds = {_kind(member) for member, _ in members(model)}
    return kinds.pop() if len(kinds) == 1 else SEVERAL


def _kind(member: keras.Model) -> str:
    names = {layer.name for layer in member.layers}
    if "fusion_streams" not in names:
        return SINGLE
    if "fusion_weights" in names:
        return ATTENTION
    return GATED if "fusion_gates" in names else CONCATENATION


def stream_weights(model: keras.Model, arrays: Arrays) -> Weights:
    """Return the weight of each stream in each clip.

    See :class:`StreamWeights`.
    """
    return StreamWeights(model).compute(arrays)


class StreamWeights:
    """Weights of the streams of a detector; make the object once for many clips.

    The fusion determines the kind of weight. Attention: its weights. Gated: the mean gate of each
    stream as a share of all mean gates. Concatenation has no weights: the logit is a sum of one
    term a stream, and the weight is the absolute size of a term as a share of all. A single stream
    has weight 1. An ensemble has the weighted mean of its members. Weights do not measure the loss
    without the stream: :mod:`artifacts.explain.stream_contributions` does.

    Args:
        model: a detector, or several as one (:mod:`artifacts.models.ensemble`).

    Raises:
        ValueError: the model joins streams that no layer of detector blocks brings to it.
    """

    def __init__(self, model: keras.Model) -> None:
        self._input = model.inputs[0].name
        self._streams = stream_names(model)
        self._members = [(_reader(member), share) for member, share in members(model)]
        joined = {name for (names, _), _ in self._members for name in names}
        if unknown := sorted(joined.difference(self._streams)):
            raise ValueError(
                f"the model {model.name} is not made of detector blocks: no layer {_PROJECTION}* "
                f"makes its inputs {', '.join(unknown)}"
            )

    def compute(self, arrays: Arrays) -> Weights:
        """Return the weights by stream, float32 (n,), with the sum 1; empty without streams.

        Args:
            arrays: arrays of n clips, by the names of the model's inputs, and maybe more.
        """
        count = len(arrays[self._input])
        total = {name: np.zeros(count, np.float32) for name in self._streams}
        for (names, read), share in self._members if count else ():
            found = read(arrays)
            sums = found.sum(axis=1, keepdims=True)
            even = np.full_like(found, 1 / max(len(names), 1))
            shares = np.divide(found, sums, out=even, where=sums > 0)
            for place, name in enumerate(names):
                total[name] += np.float32(share) * shares[:, place]
        return total


def _reader(member: keras.Model) -> tuple[list[str], _Read]:
    """Return the streams of a single detector, and a function that reads their weights, (n, S)."""
    kind = _kind(member)
    if kind == SINGLE:
        names = [name for name, _ in projections(member)]
        return names, lambda arrays: np.ones((len(next(iter(arrays.values()))), len(names)))
    names = fusion.fused_streams(member)
    if kind == ATTENTION:
        weights = fusion.stream_weights(member)
        return names, lambda arrays: _answers(weights, arrays)
    if kind == GATED:
        gates = _until(member, "fusion_gates")
        return names, lambda arrays: _answers(gates, arrays).mean(axis=2)
    side_by_side = _until(member, "fusion_embedding")
    kernel = np.asarray(member.get_layer("fake_probability").kernel)[:, 0]

    def sizes(arrays: Arrays) -> npt.NDArray[np.floating]:
        terms = _answers(side_by_side, arrays) * kernel
        return np.abs(terms.reshape(len(terms), len(names), -1).sum(axis=2))

    return names, sizes


def _until(member: keras.Model, layer: str) -> keras.Model:
    return keras.Model(member.input, member.get_layer(layer).output)


def _answers(part: keras.Model, arrays: Arrays) -> npt.NDArray[np.float32]:
    """Return the output of a part of a model for clips, computed a few at a time."""
    given = [arrays[tensor.name] for tensor in part.inputs]
    starts = range(0, len(given[0]), _BATCH)
    batches = ([array[start : start + _BATCH] for array in given] for start in starts)
    found = [part.predict_on_batch(batch if len(batch) > 1 else batch[0]) for batch in batches]
    return np.concatenate(found).astype(np.float32)
