"""Data sets that are published as extracted frames, one module each.

Imports the modules at the root of `layouts`.
"""

from __future__ import annotations
