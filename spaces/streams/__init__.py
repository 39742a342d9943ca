"""Searchable AutoKeras blocks, one a stream of evidence.

Imports `backbones`, `training` and `layers`.
"""

from __future__ import annotations
