"""Noise-residual stream: what is left of a frame when its content is filtered away."""

from __future__ import annotations

from typing import Any

import autokeras as ak
import keras

from spaces.fixed_kernels import fixed_conv, grey, srm_kernels, truncate
from spaces.spatial import conv_stage

TRUNCATION = 3.0


@keras.saving.register_keras_serializable(package="dfsearch")
class NoiseResidualBlock(ak.Block):
    """SRM high-pass residuals of grey, seen by a small network: uint8 (T, H, W, 4) to float (F).

    A camera leaves its noise everywhere; a pasted face brings another noise or none. Kernels and
    truncation at 3 grey levels as in :func:`spaces.fixed_kernels.srm_kernels`.

    Args:
        filters: first-stage width; ``None`` searches 8, 16, 24.
        stages: halvings of resolution; ``None`` searches 2 to 4.
        frame_stride: take every n-th frame, since noise needs no neighbours; ``None`` searches
            2 and 4.
    """

    def __init__(
        self,
        filters: int | None = None,
        stages: int | None = None,
        frame_stride: int | None = None,
        name: str = "noise_residual",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.filters = filters
        self.stages = stages
        self.frame_stride = frame_stride

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "stages": self.stages,
            "frame_stride": self.frame_stride,
        }

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on uint8 frames (batch, T, H, W, 4); returns float (batch, F)."""
        frames = keras.tree.flatten(inputs)[0]
        stride = self.frame_stride or hp.Choice("frame_stride", [2, 4], default=4)
        filters = self.filters or hp.Choice("filters", [8, 16, 24], default=16)
        stages = self.stages or hp.Int("stages", 2, 4, default=3)

        x = grey(frames, frame_stride=stride, name=self.name)
        x = fixed_conv(x, srm_kernels(), name=f"{self.name}_srm")
        x = truncate(x, TRUNCATION, name=f"{self.name}_truncate")
        for stage in range(stages):
            x = conv_stage(x, filters * min(2**stage, 4), name=f"{self.name}_stage{stage + 1}")
        return keras.layers.GlobalAveragePooling3D(name=f"{self.name}_embedding")(x)
