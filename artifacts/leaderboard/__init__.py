"""The leaderboard of a run: its rows, ties, baselines and tables.

Imports `evaluation` and the packages below it.
"""

from __future__ import annotations
