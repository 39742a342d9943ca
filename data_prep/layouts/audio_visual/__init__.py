"""Data sets whose fakes change picture, sound or both, one module each.

Imports the modules at the root of `layouts`.
"""

from __future__ import annotations
