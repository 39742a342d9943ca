"""Outputs of frozen network parts, computed once and cached.

Imports `config` and `samples`.
"""

from __future__ import annotations
