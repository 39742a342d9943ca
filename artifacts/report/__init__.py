"""The report of a run: one HTML file that works offline.

Imports every other package of `artifacts` except `dashboard`.
"""

from __future__ import annotations
