"""Data sets of manipulated faces, one module each.

Imports the modules at the root of `layouts`.
"""

from __future__ import annotations
