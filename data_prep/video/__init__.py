"""Decoding of videos, stills and sound, and what is computed of frames.

Imports the modules at the root alone.
"""

from __future__ import annotations
