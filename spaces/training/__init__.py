"""Hyperparameters of training and its losses.

Imports `layers`.
"""

from __future__ import annotations
