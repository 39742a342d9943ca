"""What a run leaves behind and how it is used: models, leaderboards, metrics, verdicts."""

from __future__ import annotations
