"""The files of a run and their use: models, leaderboards, metrics, verdicts.

Imports `data_prep` and `spaces`, never `search`.
"""

from __future__ import annotations
