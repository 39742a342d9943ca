"""Micro-expression stream: how the face moves between neighbouring frames."""

from __future__ import annotations

from typing import Any

import autokeras as ak
import keras

from spaces.fixed_kernels import fixed_conv, grey, motion_kernels

STSTNET_FILTERS = (3, 5, 8)
STSTNET_SIDE = 28


@keras.saving.register_keras_serializable(package="dfsearch")
class MicroExpressionBlock(ak.Block):
    """Motion of a small grey face, seen by STSTNet: uint8 (T, H, W, 4) to float (F).

    STSTNet (Liong et al., Shallow Triple Stream Three-dimensional CNN for Micro-expression
    Recognition, 2019) looks at three 28 x 28 motion maps through three shallow paths of 3, 5 and
    8 filters. A clip has no annotated apex, so every change between neighbouring stored frames is
    seen, and mean and maximum over time are kept.

    Args:
        width: multiplies the filters of the paper; ``None`` searches 1, 2, 4.
        dropout: as in the paper 0.5; ``None`` searches 0 to 0.5.
        units: size of the embedding a frame; ``None`` searches 16, 32, 64.
    """

    def __init__(
        self,
        width: int | None = None,
        dropout: float | None = None,
        units: int | None = None,
        name: str = "micro_expression",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.width = width
        self.dropout = dropout
        self.units = units

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "width": self.width,
            "dropout": self.dropout,
            "units": self.units,
        }

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on uint8 frames (batch, T, H, W, 4), T at least 2; returns float (batch, F)."""
        frames = keras.tree.flatten(inputs)[0]
        if frames.shape[1] < 2:
            raise ValueError(
                f"the micro-expression stream needs 2 frames a clip. Received: {frames.shape[1]}"
            )
        width = self.width or hp.Choice("width", [1, 2, 4], default=2)
        dropout = self.dropout
        if dropout is None:
            dropout = hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.2)
        units = self.units or hp.Choice("units", [16, 32, 64], default=32)

        x = motion(frames, name=self.name)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"{self.name}_motion_norm")(x)
        paths = []
        for filters in STSTNET_FILTERS:
            name = f"{self.name}_path{filters}"
            path = keras.layers.Conv3D(
                filters * width, (1, 3, 3), padding="same", activation="relu", name=f"{name}_conv"
            )(x)
            path = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(path)
            path = keras.layers.MaxPooling3D((1, 3, 3), padding="same", name=f"{name}_max")(path)
            paths.append(keras.layers.Dropout(dropout, name=f"{name}_dropout")(path))
        x = keras.layers.Concatenate(name=f"{self.name}_paths")(paths)
        x = keras.layers.AveragePooling3D((1, 2, 2), name=f"{self.name}_mean")(x)
        _, time, height, side, features = x.shape
        x = keras.layers.Reshape((time, height * side * features), name=f"{self.name}_flat")(x)
        x = keras.layers.Dense(units, activation="relu", name=f"{self.name}_embed")(x)
        mean = keras.layers.GlobalAveragePooling1D(name=f"{self.name}_over_time_mean")(x)
        peak = keras.layers.GlobalMaxPooling1D(name=f"{self.name}_over_time_max")(x)
        return keras.layers.Concatenate(name=f"{self.name}_embedding")([mean, peak])


def motion(frames: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """Frame-to-frame change and its gradients at about 28 px: float (batch, T - 1, h, w, 3)."""
    x = grey(frames, name=name)
    shrink = max(1, min(x.shape[2], x.shape[3]) // STSTNET_SIDE)
    if shrink > 1:
        x = keras.layers.AveragePooling3D((1, shrink, shrink), name=f"{name}_shrink")(x)
    return fixed_conv(x, motion_kernels(), name=f"{name}_motion")
