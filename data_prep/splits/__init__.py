"""Splits by identity group.

Imports `layouts` and the modules at the root.
"""

from __future__ import annotations
