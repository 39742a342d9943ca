from __future__ import annotations

from typing import Any

import keras_tuner
import optuna
import pytest

from search.studies.hyperparameters import (
    OptunaHyperParameters,
    fixed_hyperparameters,
    optuna_params,
)


def space(hp: Any) -> dict[str, Any]:
    """Every kind of question, with a nested condition."""
    answers = {
        "kind": hp.Choice("kind", ["a", "b"], default="b"),
        "units": hp.Choice("units", [8, 32, 128], default=32),
        "layers": hp.Int("layers", 1, 9, step=2, default=3),
        "width": hp.Int("width", 2, 32, step=2, sampling="log", default=8),
        "rate": hp.Float("rate", 1e-4, 1e-1, sampling="log", default=1e-3),
        "drop": hp.Float("drop", 0.0, 0.5, step=0.25, default=0.25),
        "on": hp.Boolean("on", default=True),
        "fixed": hp.Fixed("fixed", 7),
    }
    with hp.conditional_scope("kind", ["a"]):
        answers["only_a"] = hp.Int("only_a", 1, 3)
    return answers


def test_every_answer_lies_in_its_range_and_is_kept_as_a_value() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        hp = OptunaHyperParameters(study.ask())
        answers = space(hp)
        assert answers["units"] in (8, 32, 128)
        assert answers["layers"] in (1, 3, 5, 7, 9)
        assert answers["width"] in (2, 4, 8, 16, 32)
        assert 1e-4 <= answers["rate"] <= 1e-1
        assert answers["drop"] in (0.0, 0.25, 0.5)
        assert isinstance(answers["on"], bool)
        assert {name: value for name, value in answers.items() if value is not None} == hp.values


def test_an_inactive_or_fixed_entry_is_never_suggested() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    seen = set()
    for _ in range(20):
        trial = study.ask()
        answers = space(OptunaHyperParameters(trial))
        seen.add(answers["kind"])
        assert ("only_a" in trial.params) == (answers["kind"] == "a")
        assert (answers["only_a"] is None) == (answers["kind"] == "b")
        assert "fixed" not in trial.params
        assert answers["fixed"] == 7
    assert seen == {"a", "b"}


def test_asking_twice_gives_the_same_answer() -> None:
    hp = OptunaHyperParameters(optuna.create_study().ask())
    assert space(hp) == space(hp)


def test_defaults_enqueued_are_the_first_trial() -> None:
    hp = fixed_hyperparameters({})
    expected = space(hp)
    study = optuna.create_study()
    study.enqueue_trial(optuna_params(hp))
    assert space(OptunaHyperParameters(study.ask())) == expected


def test_given_values_come_back_through_an_enqueued_trial() -> None:
    hp = fixed_hyperparameters({"kind": "a", "only_a": 2, "units": 128, "width": 16})
    expected = space(hp)
    assert (expected["units"], expected["width"], expected["only_a"]) == (128, 16, 2)
    study = optuna.create_study()
    study.enqueue_trial(optuna_params(hp))
    assert space(OptunaHyperParameters(study.ask())) == expected


def test_order_of_numbers_is_kept_for_the_sampler() -> None:
    trial = optuna.create_study().ask()
    space(OptunaHyperParameters(trial))
    assert isinstance(trial.distributions["units"], optuna.distributions.IntDistribution)
    assert isinstance(trial.distributions["width"], optuna.distributions.IntDistribution)


def test_one_name_with_two_ranges_is_refused() -> None:
    hp = OptunaHyperParameters(optuna.create_study().ask())
    hp.Int("n", 1, 3)
    hp.Choice("kind", ["a"])
    with (
        hp.conditional_scope("kind", ["a"]),
        pytest.raises(ValueError, match="n"),
    ):
        hp.Choice("n", ["x", "y"])


def test_scoped_names_reach_optuna_whole() -> None:
    trial = optuna.create_study().ask()
    hp = OptunaHyperParameters(trial)
    with hp.name_scope("detector"):
        hp.Int("units", 1, 3)
    assert list(trial.params) == ["detector/units"]


def test_it_is_a_keras_tuner_container() -> None:
    assert isinstance(fixed_hyperparameters({"a": 1}), keras_tuner.HyperParameters)
    assert isinstance(
        OptunaHyperParameters(optuna.create_study().ask()), keras_tuner.HyperParameters
    )
