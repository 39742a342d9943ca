"""optuna-dashboard on the studies of a run, read only.

Imports `leaderboard` and the packages below it.
"""

from __future__ import annotations
