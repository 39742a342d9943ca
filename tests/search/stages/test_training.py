"""What the training stage tries first."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import optuna
import pytest

from artifacts import records
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, TRAINING
from search.config.run_config import RunConfig, resolve
from search.stages import architecture, training
from search.studies.hyperparameters import OptunaHyperParameters
from search.studies.study import (
    open_study,
)


def config_of(folder: Path, **settings: object) -> RunConfig:
    """Of a run whose architecture stage has one finished trial."""
    config = resolve({"store": "store.h5", "run_dir": folder, **settings})
    study = open_study(RunDirectory(folder), ARCHITECTURE)
    trial = study.ask()
    trial.set_user_attr(records.HYPERPARAMETERS, {"detector/spatial": True})
    study.tell(trial, 0.7)
    return config


def choices_tried(config: RunConfig) -> list[dict[str, object]]:
    training.enqueue(config)
    study = open_study(RunDirectory(config.run_dir), TRAINING)
    found = []
    for waiting in study.get_trials(deepcopy=False):
        fixed = optuna.trial.FixedTrial(waiting.system_attrs["fixed_params"])
        chosen = training.training_choices(config, OptunaHyperParameters(fixed))
        found.append(dataclasses.asdict(chosen))
    return found


def test_the_training_of_the_architectures_comes_first_but_longer(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    first, *_ = choices_tried(config)
    known = dataclasses.asdict(architecture.training_choices(config))
    assert first == known | {"samples": config.training.max_samples}


def test_the_recipe_comes_second(tmp_path: Path) -> None:
    _, recipe = choices_tried(config_of(tmp_path))
    assert (recipe["optimizer"], recipe["learning_rate"]) == ("adam", 1e-3)
    assert (recipe["schedule"], recipe["loss"]) == ("constant", "binary_crossentropy")


def test_a_stage_of_one_trial_has_no_place_for_the_recipe(tmp_path: Path) -> None:
    assert len(choices_tried(config_of(tmp_path, training={"trials": 1}))) == 1


@pytest.mark.parametrize(("given", "tried"), [(64, 32), (20, 16), (1, 8)])
def test_what_the_space_lacks_is_as_near_as_it_has_it(
    given: int, tried: int, tmp_path: Path
) -> None:
    settings = {"batch_size": given, "learning_rate": 0.05}
    first, *_ = choices_tried(config_of(tmp_path, architecture=settings))
    assert (first["batch_size"], first["learning_rate"]) == (tried, 0.01)
