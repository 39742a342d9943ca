"""The leaderboard of a run: its rows, what is known of them, and how they are shown."""

from __future__ import annotations
