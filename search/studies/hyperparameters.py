"""KerasTuner hyperparameters answered by an Optuna trial.

An AutoKeras graph asks a ``keras_tuner.HyperParameters`` for every choice. The subclass here hands
each question to ``optuna.Trial.suggest_*``, so one define-by-run space serves AutoKeras blocks,
GAN and training, and sampling, pruning and storage are Optuna's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras_tuner
import optuna

from search.studies.keras_tuner_internals import (
    AnsweredHyperParameters,
    Boolean,
    Choice,
    Fixed,
    Float,
    HyperParameter,
    Int,
)

Value: TypeAlias = "bool | int | float | str"


class OptunaHyperParameters(AnsweredHyperParameters):
    """A KerasTuner container whose active, unfixed entries are suggested by an Optuna trial.

    Inactive entries (a ``conditional_scope`` whose parent has another value) return ``None`` and
    are never suggested. A ``Fixed`` is never suggested, either. A choice of numbers and a
    logarithmic range with a step are suggested as the index into their values, which keeps their
    order. The values themselves are in :attr:`values`.

    KerasTuner identifies entries by name and conditions, Optuna by name alone: one name with two
    different ranges raises ``ValueError``. ``copy()`` gives a plain container.

    Args:
        trial: Trial that answers; also ``optuna.trial.FixedTrial``.
    """

    def __init__(self, trial: optuna.trial.BaseTrial) -> None:
        super().__init__()
        self._trial = trial

    def retrieve(self, hp: HyperParameter) -> Value | None:
        if not self.is_registered(hp):
            self.register(hp)
            if self.is_active(hp) and not isinstance(hp, Fixed):
                self.values[hp.name] = suggest(self._trial, hp)
        return self.values[hp.name] if self.is_active(hp) else None


def suggest(trial: optuna.trial.BaseTrial, hp: HyperParameter) -> Value:
    """Suggest one hyperparameter by the trial."""
    ladder = _ladder(hp)
    if ladder is not None:
        return ladder[trial.suggest_int(hp.name, 0, len(ladder) - 1)]
    if isinstance(hp, Boolean):
        return bool(trial.suggest_categorical(hp.name, [True, False]))
    if isinstance(hp, Choice):
        answer: Value = trial.suggest_categorical(hp.name, hp.values)
        return answer
    log = hp.sampling != "linear"
    if isinstance(hp, Int):
        step = 1 if log else hp.step
        return trial.suggest_int(hp.name, hp.min_value, hp.max_value, step=step, log=log)
    if isinstance(hp, Float):
        return trial.suggest_float(hp.name, hp.min_value, hp.max_value, step=hp.step, log=log)
    raise TypeError(f"cannot suggest {hp.name} of kind {type(hp).__name__}")


def optuna_params(hp: keras_tuner.HyperParameters) -> dict[str, Value]:
    """Return the active values of a container, as ``study.enqueue_trial`` takes them."""
    params: dict[str, Value] = {}
    for entry in hp.space:
        if isinstance(entry, Fixed) or not hp.is_active(entry):
            continue
        value = hp.values[entry.name]
        ladder = _ladder(entry)
        params[entry.name] = value if ladder is None else ladder.index(value)
    return params


def fixed_hyperparameters(values: dict[str, Value]) -> keras_tuner.HyperParameters:
    """Return a container that answers with the given values, and with defaults for the rest."""
    hp = keras_tuner.HyperParameters()
    hp.values.update(values)
    return hp


def _ladder(hp: HyperParameter) -> Sequence[Any] | None:
    """Return the ordered values of an entry that Optuna takes as an index, else ``None``."""
    if isinstance(hp, Choice) and hp.ordered:
        return list(hp.values)
    if isinstance(hp, Int | Float) and hp.sampling != "linear" and hp.step is not None:
        values, value = [], hp.min_value
        while value <= hp.max_value:
            values.append(value)
            value = value * hp.step
        return values
    return None
