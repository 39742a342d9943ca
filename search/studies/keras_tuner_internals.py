"""Every private part of KerasTuner that the project uses.

KerasTuner exports the container of hyperparameters. The kinds of its entries and the method that
every choice passes through are not exported. They are used here only: if an upgrade moves one, it
is repaired in one place. The test is ``tests/search/studies/test_keras_tuner_internals.py``.
"""

from __future__ import annotations

from typing import Any

import keras_tuner
from keras_tuner.engine.hyperparameters import Boolean as Boolean
from keras_tuner.engine.hyperparameters import Choice as Choice
from keras_tuner.engine.hyperparameters import Fixed as Fixed
from keras_tuner.engine.hyperparameters import Float as Float
from keras_tuner.engine.hyperparameters import HyperParameter as HyperParameter
from keras_tuner.engine.hyperparameters import Int as Int


class AnsweredHyperParameters(keras_tuner.HyperParameters):
    """Hyperparameters whose subclasses decide the value of every choice."""

    def retrieve(self, hp: HyperParameter) -> Any:
        """Return the value of a choice; by default the known value, or else the default."""
        return super()._retrieve(hp)

    def is_registered(self, hp: HyperParameter) -> bool:
        """Return whether the choice was made before, under the same conditions."""
        return bool(self._exists(hp.name, hp.conditions))

    def register(self, hp: HyperParameter) -> None:
        """Add a choice to the space, with its default value if it is active."""
        self._register(hp)

    def _retrieve(self, hp: HyperParameter) -> Any:
        return self.retrieve(hp)
