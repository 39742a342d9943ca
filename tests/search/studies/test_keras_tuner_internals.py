"""An upgrade of KerasTuner that moves a private name fails here, with the name in the message."""

from __future__ import annotations

from typing import Any

import keras_tuner

from search.studies import keras_tuner_internals as internals


class Highest(internals.AnsweredHyperParameters):
    """The highest value of every number, and the registered choices."""

    def retrieve(self, hp: internals.HyperParameter) -> Any:
        if not self.is_registered(hp):
            self.register(hp)
            if isinstance(hp, internals.Int | internals.Float):
                self.values[hp.name] = hp.max_value
        return super().retrieve(hp)


def test_every_choice_passes_through_the_method_that_subclasses_replace() -> None:
    hp = Highest()
    assert hp.Int("layers", 1, 5) == 5
    assert hp.Float("rate", 0.0, 0.5) == 0.5
    assert hp.Choice("kind", ["lstm", "gru"]) == "lstm"
    assert hp.Boolean("on") is False
    assert hp.Fixed("size", 3) == 3
    kinds = [internals.Int, internals.Float, internals.Choice, internals.Boolean, internals.Fixed]
    assert [type(entry) for entry in hp.space] == kinds
    assert all(issubclass(kind, internals.HyperParameter) for kind in kinds)


def test_a_stock_container_answers_with_defaults() -> None:
    assert issubclass(internals.AnsweredHyperParameters, keras_tuner.HyperParameters)
    assert internals.AnsweredHyperParameters().Int("layers", 1, 5, default=2) == 2
