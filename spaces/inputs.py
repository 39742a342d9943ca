"""The one input of every detector: a clip as the store holds it."""

from __future__ import annotations

from typing import Any

import autokeras as ak
import keras


@keras.saving.register_keras_serializable(package="dfsearch")
class FramesInput(ak.Input):
    """AutoKeras input node for clips, uint8 (T, H, W, 4): R, G, B and grey.

    AutoKeras's own input adds a casting layer that stock Keras cannot load; this one hands the
    uint8 tensor on unchanged, since every normalisation is a stock layer inside the blocks.

    Args:
        clip_shape: (T, H, W, 4).
    """

    def __init__(
        self, clip_shape: tuple[int, int, int, int], name: str = "frames", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.clip_shape = tuple(int(side) for side in clip_shape)
        self.shape = self.clip_shape
        self.dtype = "uint8"
        self.num_samples = 1
        self.batch_size = 1

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"clip_shape": list(self.clip_shape)}

    def build_node(self, hp: Any) -> keras.KerasTensor:
        """The Keras input, uint8 (batch, T, H, W, 4)."""
        return keras.Input(shape=self.clip_shape, dtype="uint8", name=self.name)

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """The input tensor itself."""
        return inputs
