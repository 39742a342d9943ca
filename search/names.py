"""Names that a configuration may give; what is behind them is elsewhere. Free of Optuna."""

from __future__ import annotations

from typing import Literal, TypeAlias

Sampler: TypeAlias = Literal["tpe", "gp", "cmaes", "nsgaii", "random", "grid", "auto"]
"""See :mod:`search.samplers`."""

Pruner: TypeAlias = Literal["median", "hyperband", "halving", "none"]
"""See :func:`search.pruners.pruner`."""

GRID: Sampler = "grid"
