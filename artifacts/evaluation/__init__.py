"""Detectors tested on labelled clips: requests, scores, robustness and test-split openings.

Imports `models`, `metrics` and the modules below them.
"""

from __future__ import annotations
