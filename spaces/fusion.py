"""Fusion: the embeddings of all streams to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import autokeras as ak
import keras

from spaces.keras_internals import operation_of
from spaces.layers.pooling import attention_pool

KINDS = ("attention", "gated", "concatenation")


@keras.saving.register_keras_serializable(package="dfsearch")
class FusionBlock(ak.Block):
    """Fusion of streams: weighted sum or concatenation.

    Every stream is projected to one width. Attention sums them by one weight a stream, which
    :func:`stream_weights` reads for each clip. Gated sums them by one sigmoid gate a stream and
    unit, read off all streams together (Arevalo et al., Gated Multimodal Units for Information
    Fusion, 2017). Concatenation leaves the weighing to the head.

    In training whole embeddings are dropped clip by clip, so that a stream that learns fast does
    not starve the others and each contributes alone (ModDrop; Neverova et al., ModDrop:
    Adaptive Multi-modal Gesture Recognition, 2016). At the default of 0.2 every second clip of
    three streams lacks one, and one in 125 lacks all.

    A single stream is projected and nothing else.

    Args:
        kind: One of :data:`KINDS`; ``None`` searches.
        units: Common width of the projected streams; ``None`` searches 16, 32, 64.
        stream_dropout: Share of embeddings dropped; ``None`` searches 0 to 0.5.
    """

    def __init__(
        self,
        kind: str | None = None,
        units: int | None = None,
        stream_dropout: float | None = None,
        name: str = "fusion",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if kind is not None and kind not in KINDS:
            raise ValueError(f"kind must be of {KINDS}. Received: {kind!r}")
        self.kind = kind
        self.units = units
        self.stream_dropout = stream_dropout

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "kind": self.kind,
            "units": self.units,
            "stream_dropout": self.stream_dropout,
        }

    def build(
        self, hp: Any, inputs: Any = None, names: Sequence[str] | None = None
    ) -> keras.KerasTensor:
        """Build on the embeddings of S streams.

        Args:
            hp: Hyperparameters for every choice that is not fixed.
            inputs: One float tensor (batch, F_i) a stream.
            names: Names of the streams in their order, used in layer names; default 1 to S.

        Returns:
            float (batch, F).

        Raises:
            ValueError: The number of names differs from the streams, or two are equal.
        """
        streams = keras.tree.flatten(inputs)
        if names is None:
            names = [str(place + 1) for place in range(len(streams))]
        if len(set(names)) != len(streams) or len(names) != len(streams):
            raise ValueError(f"{len(streams)} streams need as many names. Received: {names}")
        units = self.units
        if units is None:
            units = hp.Choice("units", [16, 32, 64], default=32)
        projected = [
            keras.layers.Dense(units, activation="relu", name=f"{self.name}_project_{stream}")(x)
            for stream, x in zip(names, streams, strict=True)
        ]
        if len(streams) == 1:
            return projected[0]

        kind, dropout = self.kind, self.stream_dropout
        if kind is None:
            kind = hp.Choice("kind", list(KINDS), default="attention")
        if dropout is None:
            dropout = hp.Float("stream_dropout", 0.0, 0.5, step=0.1, default=0.2)
        rows = [
            keras.layers.Reshape((1, units), name=f"{self.name}_row_{stream}")(x)
            for stream, x in zip(names, projected, strict=True)
        ]
        x = keras.layers.Concatenate(axis=1, name=f"{self.name}_streams")(rows)
        if dropout:
            x = keras.layers.Dropout(
                dropout, noise_shape=(None, len(rows), 1), name=f"{self.name}_stream_dropout"
            )(x)
        if kind == "attention":
            return attention_pool(x, units=units, name=self.name)
        if kind == "gated":
            return self._gated(x)
        return keras.layers.Flatten(name=f"{self.name}_embedding")(x)

    def _gated(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Apply one gate a stream and unit: float (batch, S, F) to (batch, F).

        The mean instead of the paper's sum keeps the scale whatever the number of streams.
        """
        _, streams, units = x.shape
        gates = keras.layers.Flatten(name=f"{self.name}_side_by_side")(x)
        gates = keras.layers.Dense(streams * units, activation="sigmoid", name=f"{self.name}_open")(
            gates
        )
        gates = keras.layers.Reshape((streams, units), name=f"{self.name}_gates")(gates)
        x = keras.layers.Multiply(name=f"{self.name}_gated")([gates, x])
        return keras.layers.GlobalAveragePooling1D(name=f"{self.name}_embedding")(x)


def fused_streams(model: keras.Model, *, name: str = "fusion") -> list[str]:
    """Return the names of the streams that a model fuses, in the order of :func:`stream_weights`.

    Args:
        model: Detector, built or loaded from a file.
        name: Name of the fusion block.

    Raises:
        ValueError: The model fuses no streams.
    """
    stack = _layer(model, f"{name}_streams", "it has a single stream, or no fusion")
    rows = [operation_of(tensor).name for tensor in stack.input]
    return [row.removeprefix(f"{name}_row_") for row in rows]


def stream_weights(model: keras.Model, *, name: str = "fusion") -> keras.Model:
    """Return the part of a model that computes the weight of each stream in each clip.

    Args:
        model: Detector with fusion by attention, built or loaded from a file.
        name: Name of the fusion block.

    Returns:
        A model on the same inputs, with float32 (batch, S) that sum to one, in the order of
        :func:`fused_streams`.

    Raises:
        ValueError: The model does not weight streams.
    """
    weights = _layer(model, f"{name}_weights", "only fusion by attention gives streams weights")
    return keras.Model(model.input, weights.output, name=f"{name}_stream_weights")


def _layer(model: keras.Model, name: str, reason: str) -> keras.Layer:
    for layer in model.layers:
        if layer.name == name:
            return layer
    raise ValueError(f"the model {model.name} has no layer {name}: {reason}")
