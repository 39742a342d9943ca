from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from artifacts.certificate import Certificate, Origin, Scored
from artifacts.leaderboard.ties import aucs
from artifacts.leaderboard.validation_split import read_scores
from artifacts.models.inference import score_clips
from artifacts.models.saved import load_detector, plain_copy
from artifacts.models.trust import check_model_file
from artifacts.records import HYPERPARAMETERS, VAL_AUC, VAL_LOG_LOSS
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from data_prep.store.store import Store
from search.config import run_config
from search.config.names import LOG_LOSS
from search.config.run_config import RunConfig, resolve
from search.detectors.space import build_detector, build_space
from search.stages import ensemble as ensembles
from search.stages import finish
from search.studies.hyperparameters import fixed_hyperparameters
from search.studies.run_state import RunState
from search.studies.study import (
    open_study,
)
from search.training.objectives import ValidationScore
from search.trials.trial import MODEL_FILE

WORST = ValidationScore(auc=0.0, log_loss=99.0, objective=LOG_LOSS)
BEST = ValidationScore(auc=1.0, log_loss=0.0, objective=LOG_LOSS)


VALUES = {"detector/temporal/kind": "mean", "detector/spatial/backbone": "small_cnn"}


def _config(store_path: Path, run_dir: Path) -> RunConfig:
    space = {"streams": ["spatial"], "backbones": ["small_cnn"]}
    return resolve(
        {
            "store": store_path,
            "run_dir": run_dir,
            "objective": LOG_LOSS,
            "ensemble": 3,
            "space": space,
            "gan": {"trials": 0},
            "training": {"frames": 0},
        }
    )


@pytest.fixture
def config(store_path: Path, tmp_path: Path) -> RunConfig:
    """A search by log-loss, under which two models that err to either side have a better mean."""
    return _config(store_path, tmp_path / "run")


@pytest.fixture(scope="module")
def model_files(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two untrained detectors: the first answers fake too often, the second real."""
    folder = tmp_path_factory.mktemp("models")
    paths = [folder / "fake.keras", folder / "real.keras"]
    with Store(store_path) as store:
        space = build_space(_config(store_path, folder), store)
    for number, (path, bias) in enumerate(zip(paths, (2.0, -2.0), strict=True)):
        model = build_detector(space, fixed_hyperparameters(dict(VALUES)), seed=number)
        kernel, _ = model.get_layer("fake_probability").get_weights()
        model.get_layer("fake_probability").set_weights([kernel, np.float32([bias])])
        plain_copy(model).save(path)
    return paths


@pytest.fixture
def run(config: RunConfig, store: Store, model_files: list[Path]) -> RunDirectory:
    """A run whose two trials are those detectors."""
    directory = RunDirectory(config.run_dir)
    directory.root.mkdir()
    directory.config.write_text(run_config.dump(config))
    RunState.begin(directory, store.fingerprint)
    study = open_study(directory, ARCHITECTURE)
    for number, file in enumerate(model_files):
        folder = directory.trial("architecture", number)
        folder.mkdir(parents=True)
        shutil.copy(file, folder / MODEL_FILE)
        trial = study.ask()
        for name, value in ((HYPERPARAMETERS, VALUES), (VAL_AUC, 0.5), (VAL_LOG_LOSS, 1.5)):
            trial.set_user_attr(name, value)
        study.tell(trial, -1.5)
    return directory


def test_the_merged_model_is_the_mean_its_record_describes(
    run: RunDirectory, config: RunConfig, store: Store
) -> None:
    model, record = ensembles.better_ensemble(config, run, store, WORST)
    assert record.reason == "exported"
    assert model is not None
    assert record.exported
    assert len(record.members) == 2
    rows = store.rows("val")
    models = kept_files(run)
    expected = sum(
        member.weight * score_clips(models[member.name], store, rows) for member in record.members
    )
    np.testing.assert_allclose(score_clips(model, store, rows), expected, atol=1e-5)
    assert record.objective is not None
    assert record.objective > max(member.objective for member in record.members)
    assert record.params == model.count_params()


def kept_files(run: RunDirectory) -> dict[str, keras.Model]:
    return {
        str(path.parent.relative_to(run.root / "trials")): keras.models.load_model(
            path, compile=False
        )
        for path in run.root.glob(f"trials/*/*/{MODEL_FILE}")
    }


def test_one_that_is_no_better_than_the_single_model_is_not_exported(
    run: RunDirectory, config: RunConfig, store: Store
) -> None:
    model, record = ensembles.better_ensemble(config, run, store, BEST)
    assert model is None
    assert not record.exported
    assert record.reason.startswith("not exported")
    assert record.objective is not None
    assert record.members


@pytest.mark.parametrize(
    "limit",
    ["params", *(pytest.param(each, marks=pytest.mark.slow) for each in ("file_mb", "latency_ms"))],
)
def test_one_that_breaks_a_limit_of_the_run_is_not_exported(
    run: RunDirectory, config: RunConfig, store: Store, limit: str
) -> None:
    tight = config.limits.model_copy(update={limit: 1 if limit == "params" else 1e-3})
    limited = config.model_copy(update={"limits": tight})
    model, record = ensembles.better_ensemble(limited, run, store, WORST)
    assert model is None
    assert "the limit is" in record.reason
    assert len(record.members) == 2


def test_without_a_kept_model_there_is_none(
    run: RunDirectory, config: RunConfig, store: Store
) -> None:
    for path in run.root.glob(f"trials/*/*/{MODEL_FILE}"):
        path.unlink()
    model, record = ensembles.better_ensemble(config, run, store, WORST)
    assert model is None
    assert "no model of a trial is kept" in record.reason
    assert record.trial_record().state == "failed"


def test_a_damaged_model_costs_the_ensemble_and_not_the_run(
    run: RunDirectory, config: RunConfig, store: Store
) -> None:
    (run.trial("architecture", 0) / MODEL_FILE).write_bytes(b"no model")
    model, record = ensembles.better_ensemble(config, run, store, WORST)
    assert model is None
    assert record.trial_record().state == "failed"
    assert record.reason


def test_models_score_what_they_scored_as_trials(
    finished_run: Path, store: Store, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path / "finished")
    shutil.copytree(finished_run, run.root)
    config = run_config.load(run.config).model_copy(update={"ensemble": 1})
    _, record = ensembles.better_ensemble(config, run, store, WORST)
    (member,) = record.members
    winner = finish.choose(config)
    assert (member.stage, member.trial) == (winner.stage.name, winner.trial.number)
    assert member.objective == pytest.approx(winner.trial.value, abs=1e-6)
    assert "no mean of several" in record.reason


def test_an_exported_ensemble_is_certified_calibrated_and_on_the_leaderboard(
    run: RunDirectory,
    config: RunConfig,
    store: Store,
    dfsearch: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scored = Scored(auc=WORST.auc, log_loss=WORST.log_loss)
    origin = Origin(
        stage="architecture",
        trial=0,
        trial_validation=scored,
        refit_validation=None,
        kept="trial",
    )
    poor = finish.Single(kept_files(run)["architecture/0"], origin, WORST)
    monkeypatch.setattr(finish, "_better_of_trial_and_refit", lambda *_: poor)
    finish.finish(config)

    model, certificate = load_detector(run)
    check_model_file(run.h5)
    assert certificate.ensemble is not None
    assert certificate.ensemble.exported
    assert certificate.params == model.count_params() == certificate.ensemble.params
    members = {member.name: member for member in certificate.ensemble.members}
    assert set(members) == {"architecture/0", "architecture/1"}
    assert all(member.hyperparameters for member in members.values())
    assert Certificate.read(run).is_intact(run)
    (row,) = (line for line in run.leaderboard.read_text().splitlines() if "ensemble" in line)
    assert "exported" in row
    shown = dfsearch("leaderboard", run.root, "--json")
    (listed,) = (row for row in json.loads(shown.stdout) if row["stage"] == "ensemble")
    assert set(listed["hyperparameters"]) == set(members)
    assert listed["objective"] == pytest.approx(certificate.ensemble.objective)
    scores = read_scores(run.trial("ensemble", 0), len(store.rows("val")))
    assert scores is not None
    labels = store.labels[store.rows("val")]
    assert aucs(scores[None], labels)[0] == pytest.approx(listed["val_auc"])
