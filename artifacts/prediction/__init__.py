"""Verdicts on videos and pictures, and annotated videos.

Imports `explain`, `evaluation` and the packages below them.
"""

from __future__ import annotations
