"""A spatial network with and without the grey channel.

The streams of the project never show one network both: ``spatial`` sees colour,
``micro_expression`` and ``noise_residual`` see grey. The original recipe gave all four channels to
one network; this is that network, with and without the fourth channel.
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
CHANNEL_INDICES: Mapping[str, tuple[int, ...]] = {RGB: COLOURS, RGB_GREY: (*COLOURS, GREY_CHANNEL)}
"""Indices of the input channels by detector name."""


@keras.saving.register_keras_serializable(package="dfsearch_bench")
class ChannelsBlock(SpatialBlock):
    """Frame-wise features of selected channels: uint8 (T, H, W, 4) to float (T, F).

    Args:
        channels: Indices of red, green, blue and grey.
        block: Arguments of :class:`spaces.streams.spatial.SpatialBlock`.
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


def build_channels_space(clip_shape: Sequence[int], name: str) -> DetectorGraph:
    """Return the space of the network on its channels, with the mean over frames."""
    block = ChannelsBlock(CHANNEL_INDICES[name])
    return detector_space(
        clip_shape, streams=("spatial",), spatial=block, temporal=TemporalBlock(kind="mean")
    )


def merge_grey(kernel: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return a convolution of colour that equals a convolution of colour and grey.

    Grey is the mean of the three colours. A network with grey can therefore compute nothing more,
    except for the rounding of grey to whole levels.

    Args:
        kernel: Kernel of red, green, blue and grey, (..., 4, C').

    Returns:
        Kernel of red, green and blue, (..., 3, C').
    """
    return kernel[..., :GREY_CHANNEL, :] + kernel[..., GREY_CHANNEL:, :] / len(COLOURS)
