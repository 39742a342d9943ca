"""The report of a run: one HTML file that works offline."""

from __future__ import annotations
