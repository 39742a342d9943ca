"""Searchable AutoKeras blocks and the graphs made of them.

This package knows nothing of files or studies: blocks take tensors and hyperparameters.
"""

from __future__ import annotations

from spaces.detector import DetectorBlock, DetectorGraph, FakeProbabilityHead, detector_space

__all__ = ["DetectorBlock", "DetectorGraph", "FakeProbabilityHead", "detector_space"]
