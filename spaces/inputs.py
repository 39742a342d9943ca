"""Inputs of a detector: arrays of a clip as the store holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import autokeras as ak
import keras

DTYPES = {"frames": "uint8", "flow": "float16", "audio": "float16"}


@keras.saving.register_keras_serializable(package="dfsearch")
class ClipInput(ak.Input):
    """AutoKeras input node for one array of a clip.

    AutoKeras's own input adds a casting layer that stock Keras cannot load. This one returns the
    tensor unchanged: every normalisation is a stock layer inside the blocks.

    Args:
        clip_shape: Shape of one clip: ``frames`` (T, H, W, 4), R, G, B and grey; ``flow``
            (T - 1, H / 2, W / 2, 3); ``audio`` (T, mels, steps).
        name: Key of :data:`DTYPES`, the dtypes of the store.
    """

    def __init__(self, clip_shape: Sequence[int], name: str = "frames", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        if name not in DTYPES:
            raise ValueError(f"name must be of {tuple(DTYPES)}. Received: {name!r}")
        self.clip_shape = tuple(int(side) for side in clip_shape)
        self.shape = self.clip_shape
        self.dtype = DTYPES[name]
        self.num_samples = 1
        self.batch_size = 1

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"clip_shape": list(self.clip_shape)}

    def build_node(self, hp: Any) -> keras.KerasTensor:
        """Return the Keras input, (batch, *clip_shape)."""
        return keras.Input(shape=self.clip_shape, dtype=DTYPES[self.name], name=self.name)

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Return the input tensor unchanged."""
        return inputs
