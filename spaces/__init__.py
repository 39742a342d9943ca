"""Searchable AutoKeras blocks and the graphs made of them.

Imports no other room: blocks take tensors and hyperparameters. Blocks are imported on first use,
since they import TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spaces.detector import DetectorBlock, DetectorGraph, FakeProbabilityHead, detector_space
    from spaces.inputs import ClipInput

__all__ = ["ClipInput", "DetectorBlock", "DetectorGraph", "FakeProbabilityHead", "detector_space"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        home = "spaces.inputs" if name == "ClipInput" else "spaces.detector"
        return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
