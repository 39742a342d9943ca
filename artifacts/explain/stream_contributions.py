"""Contribution of each stream to a finished detector."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from artifacts.certificate import ModelFile
from artifacts.explain.layers import logits
from artifacts.explain.streams import StreamWeights, fusion_kind, members, projections, stream_names
from artifacts.metrics.ranking import AUC, AUC_MARGIN, RankedClips, compute_figures
from artifacts.models.inference import check_finite, read_inputs
from artifacts.run_directory import RunDirectory, read_json, write_json
from data_prep.bootstrap import Interval
from data_prep.errors import UserError
from data_prep.store.store import FAKE, REAL, Store

FILE = "streams.json"
_BATCH = 8

Array = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class StreamContribution:
    """One stream of a detector.

    Attributes:
        stream: name of :data:`spaces.streams.names.STREAMS`.
        weight_real, weight_fake: weight by :class:`artifacts.explain.streams.StreamWeights`, mean
            over real and over fake clips.
        auc_without: AUC if the embedding of the stream is the same for all clips, their mean.
        loss: AUC of the whole detector minus that, on the same clips; below 0 the detector would be
            better without the stream.
        loss_interval: 95%, over identity groups; None with fewer than five of a label.
    """

    stream: str
    weight_real: float
    weight_fake: float
    auc_without: float
    loss: float
    loss_interval: Interval


@dataclasses.dataclass(frozen=True)
class StreamContributions:
    """All streams of a detector.

    Attributes:
        model: SHA-256 of the file the detector was read from.
        store: fingerprint of the store.
        split: split of the scored clips.
        clips: number of clips.
        fusion: kind of the weights, see :func:`artifacts.explain.streams.fusion_kind`.
        auc: AUC of the whole detector.
        streams: all streams in the order of the model; a single one has no score without it.
    """

    model: str
    store: str
    split: str
    clips: int
    fusion: str
    auc: float
    streams: tuple[StreamContribution, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the contributions as plain values."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(value: Any) -> StreamContributions:
        """Return the contributions of the output of :meth:`to_json`.

        Raises:
            ValueError: the value has another form.
        """
        try:
            streams = []
            for stream in value["streams"]:
                edges = stream["loss_interval"]
                interval = None if edges is None else (float(edges[0]), float(edges[1]))
                streams.append(StreamContribution(**stream | {"loss_interval": interval}))
            return StreamContributions(**value | {"streams": tuple(streams)})
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ValueError(f"these are no worths of streams: {error}") from None


def read_or_measure_contributions(
    run: RunDirectory, model: keras.Model, store: Store, split: str = "val"
) -> StreamContributions:
    """Return the contribution of each stream, measured once and kept in ``streams.json``.

    Kept figures of another model, store or split are measured anew; where the folder cannot be
    written they are not kept.

    Args:
        run: a finished run.
        model: its detector.
        store: the store of the run.
        split: ``val``; the test split is not for looking at parts of a model.

    Raises:
        UserError: the split lacks a label, or the store lacks an input of the model.
    """
    expected = ModelFile.from_path(run.h5).sha256, store.fingerprint, split
    path = run.root / FILE
    with contextlib.suppress(UserError, ValueError):
        kept = StreamContributions.from_json(read_json(path))
        if (kept.model, kept.store, kept.split) == expected:
            return kept
    found = measure(model, store, split, sha256=expected[0])
    with contextlib.suppress(OSError):
        write_json(path, found.to_json())
    return found


def measure(
    model: keras.Model, store: Store, split: str = "val", *, sha256: str = ""
) -> StreamContributions:
    """Measure the AUC that a detector loses without each of its streams.

    A stream is removed by giving every clip the mean of its embeddings over all clips. The rest of
    the detector then receives a usual input without information on the clip. In an ensemble, the
    stream is removed from all members. Information that two streams share is not lost with one of
    them, so losses are no shares of a whole.

    Args:
        model: a detector, or several as one (:mod:`artifacts.models.ensemble`).
        store: store whose clips the model accepts.
        split: split of the clips.
        sha256: SHA-256 of the model's file, for the record.

    Raises:
        UserError: the split lacks a label, the store lacks an input of the model, or the model has
            no streams.
    """
    rows = store.rows(split)
    labels = store.labels[rows]
    if set(labels.tolist()) != {REAL, FAKE}:
        raise UserError(f"{store.path}: the {split} split needs real and fake clips")
    _check(model, store)
    if not stream_names(model):
        raise UserError(f"the model {model.name} has no streams: it is not made of detector blocks")
    layers = [pair for member, _ in members(model) for pair in projections(member)]
    whole, embeddings, weights = _scored(model, store, rows, [layer for _, layer in layers])
    rest = _rest(model, [layer for _, layer in layers])
    clips = RankedClips(labels, store.groups[rows], np.full(len(rows), -1, np.int64))
    scores = whole.astype(np.float64)
    auc = compute_figures(scores, clips, intervals=False)[AUC].value
    found = []
    for stream in stream_names(model):
        changed = [
            np.broadcast_to(values.mean(axis=0), values.shape) if name == stream else values
            for (name, _), values in zip(layers, embeddings, strict=True)
        ]
        without = rest(changed).astype(np.float64)
        figures = compute_figures(scores, clips, against=without)
        found.append(
            StreamContribution(
                stream=stream,
                weight_real=float(weights[stream][labels == REAL].mean()),
                weight_fake=float(weights[stream][labels == FAKE].mean()),
                auc_without=auc - figures[AUC_MARGIN].value,
                loss=figures[AUC_MARGIN].value,
                loss_interval=figures[AUC_MARGIN].interval,
            )
        )
    return StreamContributions(
        model=sha256,
        store=store.fingerprint,
        split=split,
        clips=len(rows),
        fusion=fusion_kind(model),
        auc=auc,
        streams=tuple(found),
    )


def _check(model: keras.Model, store: Store) -> None:
    shapes = {"frames": store.clip_shape, **store.modality_shapes}
    for tensor in model.inputs:
        expected = tuple(tensor.shape[1:])
        if shapes.get(tensor.name) != expected:
            raise UserError(
                f"{store.path} has {tensor.name} of {shapes.get(tensor.name)}, the model takes "
                f"{expected}; prepare it as the model's store was"
            )


def _scored(
    model: keras.Model, store: Store, rows: npt.NDArray[np.int64], layers: Sequence[Any]
) -> tuple[Array, list[Array], dict[str, Array]]:
    """Return logits, outputs of the layers and stream weights of these rows."""
    names = [tensor.name for tensor in model.inputs]

    def look_inside(*inputs: tf.Tensor) -> tuple[tf.Tensor, ...]:
        seen: dict[int, tf.Tensor] = {}

        def look(layer: Any, value: tf.Tensor) -> tf.Tensor:
            seen[id(layer)] = value
            return value

        logit = logits(model, dict(zip(names, inputs, strict=True)), look)
        return logit, *(seen[id(layer)] for layer in layers)

    traced = tf.function(look_inside).get_concrete_function(
        *(tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs)
    )
    weigher = StreamWeights(model)
    answers, weights = [], []
    for start in range(0, len(rows), _BATCH):
        arrays = read_inputs(model, store, rows[start : start + _BATCH])
        answers.append([part.numpy() for part in traced(*map(tf.constant, arrays.values()))])
        weights.append(weigher.compute(arrays))
    logit, *embeddings = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    for values in (logit, *embeddings):
        check_finite(values, "scores or embeddings")
    joined = {name: np.concatenate([one[name] for one in weights]) for name in weights[0]}
    return logit, embeddings, joined


def _rest(model: keras.Model, layers: Sequence[Any]) -> Callable[[Sequence[Array]], Array]:
    """Return the part of a model after some of its layers, as a function of their outputs."""

    def run(*given: tf.Tensor) -> tf.Tensor:
        known = {id(layer): value for layer, value in zip(layers, given, strict=True)}
        # Inputs of only the replaced layers are never computed.
        nothing = {
            tensor.name: tf.zeros((tf.shape(given[0])[0], *tensor.shape[1:]), tensor.dtype)
            for tensor in model.inputs
        }
        return logits(model, nothing, lambda layer, value: known.get(id(layer), value))

    traced = tf.function(run).get_concrete_function(
        *(tf.TensorSpec(layer.output.shape, tf.float32) for layer in layers)
    )
    return lambda given: np.asarray(traced(*map(tf.constant, given)))
