"""The spatial stream with the grey channel beside colour, or without: what grey is worth.

The streams of the project never show one network both: colour goes to ``spatial``, grey to
``micro_expression`` and ``noise_residual``. The original recipe gave all four channels to one
network; this is that network, and the same without the fourth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from bench.accuracy.rows import RGB, RGB_GREY
from spaces.detector import DetectorGraph, detector_space
from spaces.layers.fixed_kernels import EXACT, GREY_CHANNEL, fixed_conv
from spaces.streams.spatial import SpatialBlock
from spaces.streams.temporal import TemporalBlock

NETWORK = "small_cnn"
COLOURS = (0, 1, 2)
SEEN: Mapping[str, tuple[int, ...]] = {RGB: COLOURS, RGB_GREY: (*COLOURS, GREY_CHANNEL)}
"""Channels of the frames that the network sees, by the detector's name."""


@keras.saving.register_keras_serializable(package="dfsearch_bench")
class ChannelsBlock(SpatialBlock):
    """Frame by frame features of some channels: uint8 (T, H, W, 4) to float (T, F).

    Args:
        channels: of red, green, blue and grey, by number.
        block: of :class:`spaces.streams.spatial.SpatialBlock`.
    """

    def __init__(self, channels: Sequence[int] = COLOURS, **block: Any) -> None:
        super().__init__(**{"backbones": (NETWORK,), **block})
        self.channels = list(channels)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"channels": self.channels}

    def build(self, hp: Any, inputs: Any = None) -> keras.KerasTensor:
        """Build the stream on uint8 frames (batch, T, H, W, 4); returns float (batch, T, F)."""
        frames = keras.tree.flatten(inputs)[0]
        kernel = np.zeros((1, 1, 1, 4, len(self.channels)), np.float32)
        kernel[0, 0, 0, self.channels, range(len(self.channels))] = 1.0
        x = keras.layers.Rescaling(1 / 255, dtype=EXACT, name=f"{self.name}_unit")(frames)
        x = fixed_conv(x, kernel, name=f"{self.name}_channels")
        return self._small(hp, self.backbones[0], x)


def channels_space(clip_shape: Sequence[int], name: str) -> DetectorGraph:
    """The network on the channels of :data:`SEEN`, under the mean over frames."""
    block = ChannelsBlock(SEEN[name])
    return detector_space(
        clip_shape, streams=("spatial",), spatial=block, temporal=TemporalBlock(kind="mean")
    )


def without_grey(kernel: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """A convolution of colour that gives what one of colour and grey gives.

    Grey is the mean of the three colours, so whatever a first layer makes of it, it can make of
    them: with grey a network can compute nothing more, but for grey's rounding to whole levels.

    Args:
        kernel: (..., 4, C'), of red, green, blue and grey.

    Returns:
        (..., 3, C').
    """
    return kernel[..., :GREY_CHANNEL, :] + kernel[..., GREY_CHANNEL:, :] / len(COLOURS)
