"""How much each stream of a detector counts in a clip."""

from __future__ import annotations

import math
from collections.abc import Iterator

import keras
import numpy as np
import numpy.typing as npt

from artifacts.explain_pass import Arrays, is_entered
from spaces import fusion

Weights = dict[str, "npt.NDArray[np.float32]"]

PROJECTION = "fusion_project_"
_BATCH = 8


def members(model: keras.Model) -> list[tuple[keras.Model, float]]:
    """The detectors that a model is the mean of, with their shares; itself where it is one."""
    inner = [layer for layer in model.layers if is_entered(layer)]
    if not inner:
        return [(model, 1.0)]
    offsets = model.get_layer("fake_weighted").offset
    return [(one, math.exp(offset)) for one, offset in zip(inner, offsets, strict=True)]


def streams_of(model: keras.Model) -> list[str]:
    """Names of the streams of a detector, or of all members of an ensemble, in their order."""
    found: dict[str, None] = {}
    for member, _ in members(model):
        found |= dict.fromkeys(name for name, _ in projections(member))
    return list(found)


def projections(member: keras.Model) -> Iterator[tuple[str, keras.Layer]]:
    """Each stream of a single detector, and the layer that brings it to the common width."""
    for layer in member.layers:
        if layer.name.startswith(PROJECTION):
            yield layer.name.removeprefix(PROJECTION), layer


def stream_weights(model: keras.Model, arrays: Arrays) -> Weights:
    """How much each stream counts in each clip: by stream float32 (n,), of all streams the sum 1.

    What it is depends on the fusion. Attention: its weights. Gated: the mean gate of each stream
    as a share of all mean gates. Concatenation has no weights; the logit is a sum of one term a
    stream, and this is the size of each as a share of all, whichever way it speaks. A single
    stream counts 1. An ensemble has the mean of its members, each with its weight. None of them
    says what would be missing without the stream: :mod:`artifacts.stream_worth` does.

    Args:
        model: a detector, or several as one (:mod:`artifacts.ensemble`).
        arrays: of n clips, by the names of the model's inputs, and maybe more.

    Returns:
        Nothing where the model has no streams.
    """
    first = arrays[model.inputs[0].name]
    total = {name: np.zeros(len(first), np.float32) for name in streams_of(model)}
    for member, share in members(model):
        for name, values in _of_member(member, arrays, len(first)).items():
            total[name] += np.float32(share) * values
    return total


def _of_member(member: keras.Model, arrays: Arrays, count: int) -> Weights:
    layers = {layer.name: layer for layer in member.layers}
    if "fusion_streams" not in layers:
        return {name: np.ones(count, np.float32) for name, _ in projections(member)}
    names = fusion.fused_streams(member)
    if "fusion_weights" in layers:
        found = _answers(fusion.stream_weights(member), arrays)
    elif "fusion_gates" in layers:
        gates = keras.Model(member.input, layers["fusion_gates"].output)
        found = _answers(gates, arrays).mean(axis=2)
    else:
        side_by_side = keras.Model(member.input, layers["fusion_embedding"].output)
        terms = _answers(side_by_side, arrays) * member.get_layer("fake_probability").kernel[:, 0]
        found = np.abs(np.reshape(terms, (count, len(names), -1)).sum(axis=2))
    sums = found.sum(axis=1, keepdims=True)
    shares = np.divide(found, sums, out=np.full_like(found, 1 / len(names)), where=sums > 0)
    return {name: shares[:, place] for place, name in enumerate(names)}


def _answers(part: keras.Model, arrays: Arrays) -> npt.NDArray[np.float32]:
    """What a part of a model gives for clips, a few at a time."""
    given = [arrays[tensor.name] for tensor in part.inputs]
    starts = range(0, len(given[0]), _BATCH)
    batches = ([array[start : start + _BATCH] for array in given] for start in starts)
    found = [part.predict_on_batch(batch if len(batch) > 1 else batch[0]) for batch in batches]
    return np.concatenate(found).astype(np.float32)
