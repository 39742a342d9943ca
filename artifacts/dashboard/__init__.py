"""optuna-dashboard on the studies of a run, read only."""

from __future__ import annotations
