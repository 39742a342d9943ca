"""Decoding of videos, stills and sound, and computations on frames.

Imports the modules at the root alone.
"""

from __future__ import annotations
