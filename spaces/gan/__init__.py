"""Generators and discriminators with their losses.

Imports `streams`, `backbones`, `training` and `layers`.
"""

from __future__ import annotations
