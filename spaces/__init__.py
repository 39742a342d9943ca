"""Searchable AutoKeras blocks and the graphs made of them.

The names of ``__all__`` are public. Imports of other rooms only ``data_prep.errors``: blocks take
tensors and hyperparameters. Blocks are imported on first use, since they import TensorFlow.

Example:
    >>> from spaces import SpatialBlock, detector_space
    >>> space = detector_space((4, 32, 32, 4), spatial=SpatialBlock(("small_cnn",)))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spaces.detector import DetectorBlock, DetectorGraph, FakeProbabilityHead, detector_space
    from spaces.fusion import FusionBlock
    from spaces.inputs import ClipInput
    from spaces.streams.audio import AudioBlock
    from spaces.streams.gan import GanStreamBlock
    from spaces.streams.micro_expression import MicroExpressionBlock
    from spaces.streams.noise_residual import NoiseResidualBlock
    from spaces.streams.spatial import SpatialBlock
    from spaces.streams.temporal import TemporalBlock

__all__ = [
    "AudioBlock",
    "ClipInput",
    "DetectorBlock",
    "DetectorGraph",
    "FakeProbabilityHead",
    "FusionBlock",
    "GanStreamBlock",
    "MicroExpressionBlock",
    "NoiseResidualBlock",
    "SpatialBlock",
    "TemporalBlock",
    "detector_space",
]

_MODULES = {
    "AudioBlock": "spaces.streams.audio",
    "ClipInput": "spaces.inputs",
    "FusionBlock": "spaces.fusion",
    "GanStreamBlock": "spaces.streams.gan",
    "MicroExpressionBlock": "spaces.streams.micro_expression",
    "NoiseResidualBlock": "spaces.streams.noise_residual",
    "SpatialBlock": "spaces.streams.spatial",
    "TemporalBlock": "spaces.streams.temporal",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        module = importlib.import_module(_MODULES.get(name, "spaces.detector"))
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
