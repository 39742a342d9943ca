"""Names that a configuration may contain. Imports no Optuna."""

from __future__ import annotations

import typing
from typing import Literal, TypeAlias

Sampler: TypeAlias = Literal["tpe", "gp", "cmaes", "nsgaii", "random", "grid", "auto"]
"""See :mod:`search.studies.samplers`."""

Pruner: TypeAlias = Literal["median", "hyperband", "halving", "none"]
"""See :func:`search.studies.pruners.pruner`."""

GRID: Sampler = "grid"

BuiltInObjective: TypeAlias = Literal[
    "auc",
    "log_loss",
    "generalisation",
    "leave-one-method-out",
    "leave-one-method-out-mean",
    "auc+latency",
    "auc+size",
]
"""See :mod:`search.training.objectives`."""

OBJECTIVES: tuple[BuiltInObjective, ...] = typing.get_args(BuiltInObjective)

Objective: TypeAlias = str
"""A built-in objective, or one of a plugin: see :mod:`search.training.plugin_objectives`."""

AUC: Objective = "auc"
LOG_LOSS: Objective = "log_loss"
GENERALISATION: Objective = "generalisation"
LEAVE_ONE_OUT: Objective = "leave-one-method-out"
LEAVE_ONE_OUT_MEAN: Objective = "leave-one-method-out-mean"
AUC_LATENCY: Objective = "auc+latency"
AUC_SIZE: Objective = "auc+size"

LEAVING_OUT = (LEAVE_ONE_OUT, LEAVE_ONE_OUT_MEAN)
"""Objectives that train a trial once without each manipulation method."""

PARETO = (AUC_LATENCY, AUC_SIZE)
"""Objectives with two values: a score and a cost."""
