"""Fusion: the embeddings of all streams to one."""

from __future__ import annotations

from typing import Any

import autokeras as ak
import keras

KINDS = ("attention", "concatenation")


@keras.saving.register_keras_serializable(package="dfsearch")
class FusionBlock(ak.Block):
    """Weigh the streams against each other, or lay them side by side.

    Attention: every stream is projected to one width, scored by a shared layer, and the scores'
    softmax weighs the sum, so the weight of each stream can be read for each clip.

    Args:
        kind: of :data:`KINDS`; ``None`` searches.
        units: common width of the projected streams; ``None`` searches 16, 32, 64.
    """

    def __init__(
        self,
        kind: str | None = None,
        units: int | None = None,
        name: str = "fusion",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if kind is not None and kind not in KINDS:
            raise ValueError(f"kind must be of {KINDS}. Received: {kind!r}")
        self.kind = kind
        self.units = units

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"kind": self.kind, "units": self.units}

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on one float (batch, F_i) a stream; returns float (batch, F)."""
        streams = keras.tree.flatten(inputs)
        units = self.units or hp.Choice("units", [16, 32, 64], default=32)
        projected = [
            keras.layers.Dense(units, activation="relu", name=f"{self.name}_project{place + 1}")(x)
            for place, x in enumerate(streams)
        ]
        if len(streams) == 1:
            return projected[0]
        kind = self.kind or hp.Choice("kind", list(KINDS), default="attention")
        if kind == "concatenation":
            return keras.layers.Concatenate(name=f"{self.name}_concatenate")(projected)
        rows = [
            keras.layers.Reshape((1, units), name=f"{self.name}_row{place + 1}")(x)
            for place, x in enumerate(projected)
        ]
        stack = keras.layers.Concatenate(axis=1, name=f"{self.name}_streams")(rows)
        score = keras.layers.Dense(units, activation="tanh", name=f"{self.name}_query")(stack)
        score = keras.layers.Dense(1, use_bias=False, name=f"{self.name}_score")(score)
        weights = keras.layers.Softmax(axis=1, name=f"{self.name}_weights")(score)
        mixed = keras.layers.Dot(axes=1, name=f"{self.name}_attend")([weights, stack])
        return keras.layers.Flatten(name=f"{self.name}_embedding")(mixed)
