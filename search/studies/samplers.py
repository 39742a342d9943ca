"""Samplers by name."""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.util
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from artifacts.optuna_internals import set_study_attribute
from artifacts.records import HYPERPARAMETERS, REASON
from data_prep.errors import UserError
from search.config.names import GRID, Sampler
from search.studies.study import (
    INTERRUPTED,
    name_in_run,
    sequence_number,
)

EXHAUSTED = "exhausted"
"""Attribute of a study whose grid has no point left."""

# Random trials before a sampler follows the results.
_STARTUP = 8
# NSGA-II crosses the best of so many; a search has tens of trials, not thousands.
_POPULATION = 12

_NEEDS = {"gp": ("torch", "scipy"), "cmaes": ("cmaes",), "auto": ("optunahub", "torch", "cmaes")}


class RepeatableSampler(BaseSampler):
    """An Optuna sampler seeded anew for each trial.

    Trials run in processes that come and go, so a sampler seeded once would draw the same numbers
    again in each of them. The seed follows from the sequence number of the trial, see
    :func:`search.studies.study.sequence_number`. So a retry draws what the interrupted trial drew,
    and so do all trials after it.

    Args:
        name: Name of the sampler.
        seed: Seed of the run.

    Raises:
        UserError: The sampler needs a package that is not installed.
    """

    def __init__(self, name: Sampler, seed: int) -> None:
        self._name = name
        self._seed = seed
        self._make = _maker(name)
        self._inner = self._make(seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Seed the sampler for this trial."""
        self._inner = self._seeded(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Ask the sampler of this trial."""
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Ask the sampler of this trial."""
        if self._name == "cmaes":
            # It seeds itself by the number, which an interruption shifts.
            trial = copy.copy(trial)
            trial.number = sequence_number(study, trial)
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Ask the sampler of this trial.

        Raises:
            UserError: A grid has a continuous range.
        """
        if self._name == GRID and _is_continuous(param_distribution):
            raise UserError(
                f"the grid sampler needs finite choices, and {param_name} of the "
                f"{name_in_run(study)} stage is any number in its range: take another "
                "sampler, or leave the stage out with trials = 0"
            )
        # By name, since a repeated trial is not asked again for known values.
        sampler = self._seeded(study, trial, param_name)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Pass the result to the sampler; mark the study after the last point of a grid."""
        if self._name != GRID:
            self._inner.after_trial(study, trial, state, values)
            return
        if _unanswered(trial):
            return
        try:
            self._inner.after_trial(study, trial, state, values)
        except RuntimeError:
            # Optuna would stop its own loop, which is not used here.
            set_study_attribute(study, EXHAUSTED, True)

    def _seeded(self, study: optuna.Study, trial: FrozenTrial, question: str = "") -> BaseSampler:
        """Return the sampler of a trial, or of one question in it."""
        key = f"{self._seed}/{name_in_run(study)}/{sequence_number(study, trial)}/{question}"
        sampler = self._make(int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big"))
        sampler.before_trial(study, trial)
        return sampler


def is_exhausted(study: optuna.Study) -> bool:
    """Return whether every point of a grid has been tried."""
    return bool(study.user_attrs.get(EXHAUSTED))


class _Grid(optuna.samplers.BruteForceSampler):
    """Every point of a space of finite choices, each once, in random order.

    Optuna's ``GridSampler`` needs all choices beforehand, and a define-by-run space does not know
    them. This sampler learns them from the trials, except from trials that may have stopped between
    two questions.
    """

    @staticmethod
    def _populate_tree(tree: Any, trials: list[FrozenTrial], params: dict[str, Any]) -> None:
        ended = [t for t in trials if not _unanswered(t)]
        optuna.samplers.BruteForceSampler._populate_tree(tree, ended, params)


def _unanswered(trial: FrozenTrial) -> bool:
    """Return whether a trial may have ended before all its questions were answered."""
    if trial.user_attrs.get(REASON) == INTERRUPTED:
        return True
    return trial.state == TrialState.FAIL and HYPERPARAMETERS not in trial.user_attrs


def _maker(name: Sampler) -> Callable[[int], BaseSampler]:
    """Return a function that makes a sampler from a seed."""
    missing = [package for package in _NEEDS.get(name, ()) if not _is_installed(package)]
    if missing:
        raise UserError(
            f"the {name} sampler needs {' and '.join(missing)}: pip install {' '.join(missing)}; "
            "or choose another, tpe for one"
        )
    if name == "auto":
        return _auto()
    samplers: Mapping[str, Callable[[int], BaseSampler]] = {
        "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP),
        "gp": lambda seed: optuna.samplers.GPSampler(
            seed=seed, n_startup_trials=_STARTUP, warn_independent_sampling=False
        ),
        "cmaes": lambda seed: optuna.samplers.CmaEsSampler(
            seed=seed, n_startup_trials=_STARTUP, warn_independent_sampling=False
        ),
        "nsgaii": lambda seed: optuna.samplers.NSGAIISampler(
            seed=seed, population_size=_POPULATION
        ),
        "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
        GRID: _grid,
    }
    return samplers[name]


def _grid(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        # A changed interface would concern this file alone.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _Grid(seed=seed)


def _auto() -> Callable[[int], BaseSampler]:
    """Load OptunaHub's AutoSampler, which chooses a sampler by the search space."""
    hub = importlib.import_module("optunahub")
    try:
        module = hub.load_module("samplers/auto_sampler")
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"the auto sampler cannot be loaded ({reason}); OptunaHub downloads it from GitHub "
            "once. Choose another, tpe for one"
        ) from None

    def make(seed: int) -> BaseSampler:
        sampler: BaseSampler = module.AutoSampler(seed=seed)
        return sampler

    return make


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _is_continuous(distribution: BaseDistribution) -> bool:
    return isinstance(distribution, FloatDistribution) and distribution.step is None
