"""Metrics of scores with intervals over identity groups: numbers only.

Imports `data_prep` and the modules at the root.
"""

from __future__ import annotations
