"""Temporal stage: a sequence of frame embeddings to one embedding of the clip."""

from __future__ import annotations

from typing import Any

import autokeras as ak
import keras

KINDS = ("bilstm", "bigru", "mean")


@keras.saving.register_keras_serializable(package="dfsearch")
class TemporalBlock(ak.Block):
    """How the frames follow each other: float (T, F) to float (F').

    Bidirectional recurrence reads a clip both ways, as is common in deepfake detection (Gueera and
    Delp, Deepfake Video Detection Using Recurrent Neural Networks, 2018); the mean is the
    control that knows no order.

    Args:
        kind: of :data:`KINDS`; ``None`` searches.
        units: recurrent units each way; ``None`` searches 16 to 128.
        layers: stacked recurrent layers; ``None`` searches 1 and 2.
    """

    def __init__(
        self,
        kind: str | None = None,
        units: int | None = None,
        layers: int | None = None,
        name: str = "temporal",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if kind is not None and kind not in KINDS:
            raise ValueError(f"kind must be of {KINDS}. Received: {kind!r}")
        self.kind = kind
        self.units = units
        self.layers = layers

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "kind": self.kind,
            "units": self.units,
            "layers": self.layers,
        }

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on float (batch, T, F); returns float (batch, F')."""
        x = keras.tree.flatten(inputs)[0]
        if self.kind is not None:
            return self._mean(x) if self.kind == "mean" else self._recurrent(hp, x, self.kind)
        kind = hp.Choice("kind", list(KINDS), default="bilstm")
        if kind == "mean":
            return self._mean(x)
        with hp.conditional_scope("kind", ["bilstm", "bigru"]):
            return self._recurrent(hp, x, kind)

    def _mean(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.layers.GlobalAveragePooling1D(name=f"{self.name}_mean")(x)

    def _recurrent(self, hp: Any, x: keras.KerasTensor, kind: str) -> keras.KerasTensor:
        units = self.units or hp.Choice("units", [16, 32, 64, 128], default=32)
        layers = self.layers or hp.Int("layers", 1, 2, default=1)
        cell = keras.layers.LSTM if kind == "bilstm" else keras.layers.GRU
        for layer in range(layers):
            x = keras.layers.Bidirectional(
                cell(units, return_sequences=layer < layers - 1), name=f"{self.name}_{layer + 1}"
            )(x)
        return x
