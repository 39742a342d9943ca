"""Hyperparameters of one space that answer the questions of another."""

from __future__ import annotations

from typing import Any

from search.studies.hyperparameters import Value
from search.studies.keras_tuner_internals import (
    AnsweredHyperParameters,
    Boolean,
    Choice,
    Float,
    HyperParameter,
    Int,
)


class KnownAnswers(AnsweredHyperParameters):
    """Answers with given values that a space allows, and with its defaults for the rest.

    Args:
        values: Values of another space, by name.
    """

    def __init__(self, values: dict[str, Value]) -> None:
        super().__init__()
        self._given = dict(values)

    def retrieve(self, hp: HyperParameter) -> Value | None:
        if hp.name in self._given and _allows(hp, self._given[hp.name]):
            self.values.setdefault(hp.name, self._given[hp.name])
        return super().retrieve(hp)


def _allows(hp: HyperParameter, value: Any) -> bool:
    """Return whether a value is a valid answer to a question."""
    if isinstance(hp, Choice):
        return value in hp.values
    if isinstance(hp, Boolean):
        return isinstance(value, bool)
    if isinstance(hp, Int | Float):
        if isinstance(value, bool | str) or not hp.min_value <= value <= hp.max_value:
            return False
        steps = (value - hp.min_value) / hp.step if hp.step and hp.sampling == "linear" else 0.0
        return abs(steps - round(steps)) < 1e-6
    return False
