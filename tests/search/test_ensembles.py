from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from artifacts.certificate import Certificate
from artifacts.export import check_stock_layers, load_detector
from artifacts.run_directory import RunDirectory
from artifacts.scoring import score_clips
from data_prep.store import Store
from search import config as configuration
from search import ensembles, finish
from search.config import RunConfig
from search.objectives import ValidationScore
from search.trial import MODEL_FILE

WORST = ValidationScore(auc=0.0, log_loss=99.0, pseudo_auc=0.0, pair_ranking=0.0)
BEST = ValidationScore(auc=1.0, log_loss=0.0, pseudo_auc=1.0, pair_ranking=1.0)


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> RunDirectory:
    """A finished run of one's own, of three kept models."""
    shutil.copytree(finished_run, tmp_path / "run")
    return RunDirectory(tmp_path / "run")


@pytest.fixture
def config(run: RunDirectory) -> RunConfig:
    return configuration.load(run.config).model_copy(update={"ensemble": 3})


def spoil(run: RunDirectory, name: str, bias: float) -> None:
    """Shift what one kept model says, so that others must make up for it."""
    stage, number = name.split("/")
    path = run.trial(stage, int(number)) / MODEL_FILE
    model = keras.models.load_model(path, compile=False)
    kernel, _ = model.get_layer("fake_probability").get_weights()
    model.get_layer("fake_probability").set_weights([kernel, np.float32([bias])])
    model.save(path)


def test_the_merged_model_is_the_mean_its_record_describes(
    run: RunDirectory, config: RunConfig, store: Store
) -> None:
    # One says fake too often, one real too often: their mean has the lower log-loss.
    spoil(run, "architecture/0", 2.0)
    spoil(run, "architecture/1", -2.0)
    (run.trial("training", 0) / MODEL_FILE).unlink()
    model, record = ensembles.better_ensemble(config, run, store, WORST)
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
    assert record.objective >= max(member.objective for member in record.members)
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


def test_without_a_kept_model_there_is_none(
    run: RunDirectory, config: RunConfig, store: Store
) -> None:
    for path in run.root.glob(f"trials/*/*/{MODEL_FILE}"):
        path.unlink()
    model, record = ensembles.better_ensemble(config, run, store, WORST)
    assert model is None
    assert "no model of a trial is kept" in record.reason
    assert record.row().state == "failed"


def test_a_damaged_model_costs_the_ensemble_and_not_the_run(
    run: RunDirectory, config: RunConfig, store: Store
) -> None:
    (run.trial("architecture", 0) / MODEL_FILE).write_bytes(b"no model")
    model, record = ensembles.better_ensemble(config, run, store, WORST)
    assert model is None
    assert record.row().state == "failed"
    assert record.reason


def test_the_best_member_is_the_trial_that_scored_so(
    run: RunDirectory, config: RunConfig, store: Store
) -> None:
    _, record = ensembles.better_ensemble(
        config.model_copy(update={"ensemble": 1}), run, store, WORST
    )
    (member,) = record.members
    winner = finish.choose(config)
    assert (member.stage, member.trial) == (winner.stage, winner.trial.number)
    assert member.objective == pytest.approx(winner.trial.value, abs=1e-6)
    assert "no mean of several" in record.reason


@pytest.mark.slow
def test_an_exported_ensemble_is_certified_calibrated_and_on_the_leaderboard(
    run: RunDirectory,
    config: RunConfig,
    store: Store,
    dfsearch: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil(run, "architecture/0", 2.0)
    spoil(run, "architecture/1", -2.0)
    (run.trial("training", 0) / MODEL_FILE).unlink()
    model, _ = load_detector(run)
    poor = finish.Single(model, Certificate.read(run).origin, WORST)
    monkeypatch.setattr(finish, "_better_of_trial_and_refit", lambda *_: poor)
    finish.finish(config)

    model, certificate = load_detector(run)
    check_stock_layers(run.h5)
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
