"""Verdicts on raw videos and pictures, and videos with what was found drawn in."""

from __future__ import annotations
