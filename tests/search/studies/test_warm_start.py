from __future__ import annotations

from pathlib import Path

import pytest

from artifacts.records import HYPERPARAMETERS
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, TRAINING
from data_prep.errors import UserError
from search.config.run_config import RunConfig, load, resolve
from search.studies import warm_start
from search.studies.known_answers import KnownAnswers
from search.studies.run_state import RunState
from search.studies.study import (
    open_study,
)


def config_of(earlier: Path) -> RunConfig:
    settings = {"store": "s.h5", "run_dir": "run", "warm_start": str(earlier)}
    return resolve(settings | {"architecture": {"trials": 4}, "training": {"trials": 2}})


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A run of five architecture trials, the fourth best, the last not complete."""
    run = RunDirectory(tmp_path / "earlier")
    run.root.mkdir()
    run.config.write_text('store = "s.h5"\nrun_dir = "."\n')
    RunState.begin(run, "0" * 64)
    study = open_study(run, ARCHITECTURE)
    for number, value in enumerate((0.5, 0.7, 0.6, 0.9, 0.0)):
        trial = study.ask()
        trial.set_user_attr(HYPERPARAMETERS, {"n": number})
        if value:
            study.tell(trial, value)
    return run.root


def test_the_best_are_taken_and_no_more_than_half_of_the_trials(earlier: Path) -> None:
    config = config_of(earlier)
    assert warm_start.reused_hyperparameters(config) == {
        ARCHITECTURE: [{"n": 3}, {"n": 1}],
        TRAINING: [],
    }
    (said,) = warm_start.describe_warm_start(config)
    assert said == f"first, from {earlier}: the best 2 architecture trials"


def test_looking_leaves_the_earlier_run_as_it_was(earlier: Path) -> None:
    before = (earlier / "studies.log").read_bytes()
    warm_start.reused_hyperparameters(config_of(earlier))
    assert (earlier / "studies.log").read_bytes() == before


def test_without_an_earlier_run_nothing_is_taken_nor_said() -> None:
    config = resolve({"store": "s.h5", "run_dir": "run"})
    assert warm_start.reused_hyperparameters(config) == {}
    assert warm_start.describe_warm_start(config) == []


def test_what_is_no_run_or_has_no_trials_is_one_line(earlier: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run at"):
        warm_start.reused_hyperparameters(config_of(tmp_path / "nothing"))
    (earlier / "studies.log").unlink()
    with pytest.raises(UserError, match="nothing to start from"):
        warm_start.reused_hyperparameters(config_of(earlier))


def test_a_path_starts_at_the_folder_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('store = "s.h5"\nrun_dir = "run"\nwarm_start = "earlier"\n')
    assert load(file).warm_start == str(tmp_path / "earlier")


def test_answers_are_given_where_the_space_has_them() -> None:
    hp = KnownAnswers({"a": 3, "b": "z", "c": 0.5, "d": 99, "e": True, "f": 0.35, "g": True})
    assert hp.Choice("a", [1, 3], default=1) == 3
    assert hp.Choice("b", ["x", "y"]) == "x"
    assert hp.Float("c", 0.1, 1.0, sampling="log", default=0.2) == 0.5
    assert hp.Int("d", 1, 5, default=2) == 2
    assert hp.Boolean("e") is True
    assert hp.Float("f", 0.0, 0.5, step=0.1, default=0.2) == 0.2
    assert hp.Int("g", 0, 4, default=3) == 3
