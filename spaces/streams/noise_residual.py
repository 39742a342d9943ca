"""Noise-residual stream: high-pass residuals of a frame, without its content."""

from __future__ import annotations

import contextlib
from typing import Any

import autokeras as ak
import keras

from spaces.layers.conditional_scope import strides_for
from spaces.layers.fixed_kernels import EXACT, fixed_conv, grey, truncate
from spaces.streams.high_pass import (
    BLOCK,
    dct_kernels,
    learned_high_pass,
    srm3_kernels,
    srm30_kernels,
)
from spaces.streams.spatial import strided_conv

KERNELS = ("srm3", "srm30", "learned")
READINGS = ("truncated", "energy")
GRIDS = (1, 2, 4)
TRUNCATION = 3.0
ENERGY_CELL = 4
_MIDDLE_GREY = 127.5


@keras.saving.register_keras_serializable(package="dfsearch")
class NoiseResidualBlock(ak.Block):
    """Noise stream: a small network on high-pass residuals, uint8 (T, H, W, 4) to float (F).

    A camera leaves its noise everywhere; a pasted face brings another noise or none. The amount
    of noise differs from camera to camera. The evidence is therefore the region of the crop with
    less noise, and the embedding keeps regions apart.

    Args:
        kernels: one of :data:`KERNELS`; ``None`` searches. ``srm3`` and ``srm30`` are fixed
            (:func:`spaces.streams.high_pass.srm3_kernels`,
            :func:`spaces.streams.high_pass.srm30_kernels`); ``learned`` are held by
            :class:`spaces.streams.high_pass.HighPassConstraint`.
        learned_filters: number of learned kernels; ``None`` searches 3 (Bayar and Stamm,
            Constrained Convolutional Neural Networks, 2018), 6 and 12 (the same, 2016).
        reading: reading of the residuals, one of :data:`READINGS`: fixed ones ``truncated`` at 3
            grey levels, or the ``energy`` of each neighbourhood, see :func:`local_energy`; ``None``
            searches.
        statistics: add the frequency statistics of grey, see :func:`frequency_statistics`;
            ``None`` searches.
        filters: Width of the first level; ``None`` searches 8, 16, 24.
        stages: Number of halvings of the resolution; ``None`` searches 2 to 4.
        frame_stride: take every n-th frame, since noise needs no neighbours; ``None`` searches
            2 and 4.
        grid: most cells along each side of the crop in which features are averaged; 1 keeps no
            positions. ``None`` searches 1, 2, 4.
    """

    def __init__(
        self,
        kernels: str | None = None,
        learned_filters: int | None = None,
        statistics: bool | None = None,
        filters: int | None = None,
        stages: int | None = None,
        frame_stride: int | None = None,
        reading: str | None = None,
        grid: int | None = None,
        name: str = "noise_residual",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if kernels is not None and kernels not in KERNELS:
            raise ValueError(f"kernels must be of {KERNELS}. Received: {kernels!r}")
        if reading is not None and reading not in READINGS:
            raise ValueError(f"reading must be of {READINGS}. Received: {reading!r}")
        self.kernels = kernels
        self.learned_filters = learned_filters
        self.statistics = statistics
        self.filters = filters
        self.stages = stages
        self.frame_stride = frame_stride
        self.reading = reading
        self.grid = grid

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "kernels": self.kernels,
            "learned_filters": self.learned_filters,
            "statistics": self.statistics,
            "filters": self.filters,
            "stages": self.stages,
            "frame_stride": self.frame_stride,
            "reading": self.reading,
            "grid": self.grid,
        }

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build on uint8 frames (batch, T, H, W, 4), H and W at least 8; float (batch, F)."""
        frames = keras.tree.flatten(inputs)[0]
        if min(frames.shape[2:4]) < BLOCK:
            raise ValueError(
                f"the noise-residual stream needs frames of {BLOCK} px or more; prepare larger "
                f"crops with --size. Received: {frames.shape[2]} x {frames.shape[3]}"
            )
        stride = self._stride(hp, frames.shape[1])
        filters = self.filters
        if filters is None:
            filters = hp.Choice("filters", [8, 16, 24], default=16)
        stages = self.stages
        if stages is None:
            stages = hp.Int("stages", 2, 4, default=3)
        statistics = self.statistics
        if statistics is None:
            statistics = hp.Boolean("statistics", default=False)
        reading = self.reading
        if reading is None:
            reading = hp.Choice("reading", list(READINGS), default="truncated")
        grid = self.grid
        if grid is None:
            grid = hp.Choice("grid", list(GRIDS), default=4)

        seen = grey(frames, frame_stride=stride, name=self.name)
        x = self._residual(hp, seen, reading)
        for stage in range(stages):
            x = strided_conv(x, filters * min(2**stage, 4), name=f"{self.name}_stage{stage + 1}")
        x = pool_cells(x, grid, name=self.name)
        if not statistics:
            return x
        spectrum = frequency_statistics(seen, name=f"{self.name}_statistics")
        spectrum = keras.layers.BatchNormalization(
            momentum=0.9, name=f"{self.name}_statistics_norm"
        )(spectrum)
        return keras.layers.Concatenate(name=f"{self.name}_with_statistics")([x, spectrum])

    def _stride(self, hp: Any, frames: int) -> int:
        if self.frame_stride is not None:
            return self.frame_stride
        strides = strides_for(frames, (2, 4))
        if len(strides) == 1:
            return strides[0]
        return int(hp.Choice("frame_stride", strides, default=strides[-1]))

    def _residual(self, hp: Any, seen: keras.KerasTensor, reading: str) -> keras.KerasTensor:
        """Return residuals of grey in a reading, about -1..1.

        They are float32 (batch, T', h, w, kernels).
        """
        kernels, scope = self.kernels, contextlib.nullcontext()
        if kernels is None:
            kernels = hp.Choice("kernels", list(KERNELS), default="srm3")
            scope = hp.conditional_scope("kernels", ["learned"])
        if kernels == "learned":
            filters = self.learned_filters
            if filters is None:
                with scope:
                    filters = hp.Choice("learned_filters", [3, 6, 12], default=3)
            centred = self._scaled(seen, offset=-_MIDDLE_GREY / TRUNCATION, name="centred")
            x = learned_high_pass(centred, filters, name=f"{self.name}_learned")
        else:
            fixed = srm3_kernels() if kernels == "srm3" else srm30_kernels()
            x = fixed_conv(seen, fixed, name=f"{self.name}_{kernels}")
            if reading == "truncated":
                return truncate(x, TRUNCATION, name=f"{self.name}_truncate")
            x = self._scaled(x, offset=0.0, name="scaled")
        return local_energy(x, name=self.name) if reading == "energy" else x

    def _scaled(self, x: keras.KerasTensor, *, offset: float, name: str) -> keras.KerasTensor:
        return keras.layers.Rescaling(
            1 / TRUNCATION, offset=offset, dtype=EXACT, name=f"{self.name}_{name}"
        )(x)


def local_energy(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """Compute the local energy of residuals: (batch, T, H, W, C) to (batch, T, H/4, W/4, C).

    Spliced regions show in the local variance of noise (Lyu et al., Exposing Region Splicing
    Forgeries with Blind Local Noise Estimation, 2014). The mean square E of 4 x 4 pixels passes
    softsign: E / (1 + E) distinguishes levels of noise that truncation would make equal. The result
    is float32. With fixed kernels it is a frozen prefix sixteen times smaller than the residuals.
    """
    x = keras.layers.Multiply(dtype=EXACT, name=f"{name}_squared")([x, x])
    cell = (1, ENERGY_CELL, ENERGY_CELL)
    x = keras.layers.AveragePooling3D(cell, padding="same", dtype=EXACT, name=f"{name}_energy")(x)
    return keras.layers.Activation("softsign", dtype=EXACT, name=f"{name}_compressed")(x)


def pool_cells(x: keras.KerasTensor, grid: int, *, name: str) -> keras.KerasTensor:
    """Average all frames in at most grid x grid cells: (batch, T, h, w, C) to (batch, F)."""
    _, time, height, width, _ = x.shape
    cell = (time, -(-height // grid), -(-width // grid))
    x = keras.layers.AveragePooling3D(cell, padding="same", name=f"{name}_cells")(x)
    return keras.layers.Flatten(name=f"{name}_embedding")(x)


def frequency_statistics(x: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
    """Compute the strength of each frequency: float (batch, T, H, W, 1) to float (batch, 63).

    Generators and resizing leave too much or too little of some frequencies (Frank et al.,
    Leveraging Frequency Analysis for Deep Fake Image Recognition, 2020). E is the energy of a
    block-DCT coefficient, averaged over all blocks and frames, as a fraction of the usual one for
    faces. All coefficients except the mean are used. Softsign, E / (1 + E), is the sigmoid of log
    E. It is nearly straight in log E within a factor of ten around 1.
    """
    x = fixed_conv(x, dct_kernels(), strides=(1, BLOCK, BLOCK), name=f"{name}_dct")
    x = keras.layers.Multiply(dtype=EXACT, name=f"{name}_energy")([x, x])
    x = keras.layers.GlobalAveragePooling3D(dtype=EXACT, name=f"{name}_mean")(x)
    return keras.layers.Activation("softsign", dtype=EXACT, name=f"{name}_compressed")(x)
