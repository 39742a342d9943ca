"""Pruners by name: when a search gives a trial up."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.trial import FrozenTrial, TrialState

from artifacts.optuna_internals import KeyedHyperband
from artifacts.records import REASON
from search.config.names import Pruner
from search.studies.study import (
    INTERRUPTED,
    name_in_run,
    sequence_number,
)

# The first rung of halving in reports, and which share of the trials passes each.
_FIRST_RUNG = 2
_REDUCTION = 3


def pruner(name: Pruner, reports: int) -> BasePruner:
    """Return the pruner of a stage.

    Args:
        name: ``median`` stops a trial if at that report it is worse than half of the complete
            trials; ``halving`` lets a third of the trials pass each rung (asynchronous successive
            halving: Li et al., 2020); ``hyperband`` runs several of these with first rungs of
            different lengths (Li et al., 2018); ``none`` stops nothing.
        reports: most reports of a trial, usually its epochs.
    """
    if name == "hyperband":
        return KeyedHyperband(
            _bracket_key,
            min_resource=_FIRST_RUNG,
            max_resource=max(reports, _FIRST_RUNG),
            reduction_factor=_REDUCTION,
        )
    if name == "halving":
        return _Halving(min_resource=min(_FIRST_RUNG, reports), reduction_factor=_REDUCTION)
    if name == "none":
        return NopPruner()
    return MedianPruner(n_startup_trials=3, n_warmup_steps=2)


class _Halving(optuna.pruners.SuccessiveHalvingPruner):
    """Successive halving against the trials that count: one that is repeated competes once."""

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        return super().prune(_Counted(study), trial)  # type: ignore[arg-type]


class _Counted:
    """View of a study for successive halving, without interrupted trials."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = self._study.get_trials(deepcopy=deepcopy, states=states)
        return [trial for trial in trials if not _is_interrupted(trial)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)


def _bracket_key(study: optuna.Study, trial: FrozenTrial) -> str | None:
    """Return a key that stays when a run is interrupted; none for a trial that is repeated."""
    if _is_interrupted(trial):
        return None
    return f"{name_in_run(study)}_{sequence_number(study, trial)}"


def _is_interrupted(trial: FrozenTrial) -> bool:
    return trial.user_attrs.get(REASON) == INTERRUPTED
