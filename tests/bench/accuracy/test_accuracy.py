from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from artifacts.metrics.ranking import find_originals, pair_ranking
from bench.accuracy import accuracy, data, rows
from bench.accuracy import training as accuracy_training
from data_prep.store.store import Store

ROOT = Path(__file__).parents[3]


def bench(folder: Path | None, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "150"}
    environment.pop(data.VARIABLE, None)
    if folder is not None:
        environment[data.VARIABLE] = str(folder)
    command = [sys.executable, "-m", "bench.accuracy", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )


def test_missing_real_data_is_a_one_line_error(tmp_path: Path) -> None:
    done = bench(None, "--keep", tmp_path / "kept")
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if "error" in line]
    assert line.startswith("error: DFSEARCH_REAL_DATA is not set: name the folder")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_baselines_and_missing_rows_are_printed(synthetic_data: Path, kept: Path) -> None:
    done = bench(synthetic_data, "--keep", kept, "--minutes", 0, "--seeds", 0, "--quick")
    assert done.returncode == 0, done.stderr
    assert "SYNTHETIC" in done.stdout
    assert "baseline sharpness" in done.stdout
    assert "missing; to continue, repeat the command: quick-0, recipe-0" in done.stdout


@pytest.mark.slow
def test_kept_scores_are_reused(
    synthetic_data: Path, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(data.VARIABLE, str(synthetic_data))
    (common,) = accuracy.make_test_sets(kept, [])
    row = rows.Row(rows.RECIPE, 0)
    assert len(rows.find_missing_scores(kept, row, [common])) == 2
    scores = {}
    for path in (common.path, common.matched):
        with Store(path) as store:
            scores[path] = np.linspace(0, 1, len(store)).tolist()
            entry = dict(
                zip(rows.KEY_FIELDS, rows.make_score_key(kept, row, store.fingerprint), strict=True)
            )
        rows.ScoreFile(kept / "scores.jsonl").add(entry | {"scores": scores[path]})
    assert rows.find_missing_scores(kept, row, [common]) == []

    done = bench(synthetic_data, "--keep", kept, "--only", "recipe-0", "--json")
    assert done.returncode == 0, done.stderr
    assert not (kept / "rows").exists()
    for clips, path in zip(json.loads(done.stdout), scores, strict=True):
        with Store(path) as store:
            places = find_originals(store.keys, store.crop_sources)
        expected = pair_ranking(np.array(scores[path]), places)
        assert clips["figures"]["recipe"]["pairs"]["value"] == pytest.approx(expected)


@pytest.mark.slow
def test_a_row_is_trained_and_its_model_and_scores_are_kept(
    synthetic_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(data.VARIABLE, str(synthetic_data))
    done = bench(synthetic_data, "--keep", tmp_path, "--only", "recipe-1", "--seeds", "1", "--json")
    assert done.returncode == 0, done.stderr
    models = list((tmp_path / "rows").glob("recipe-1-*/best_model.h5"))
    assert len(models) == 1, done.stderr
    (model,) = models
    trained = model.stat().st_mtime_ns
    entries = rows.ScoreFile(tmp_path / "scores.jsonl").entries()
    assert len(entries) == 2
    with Store(data.make_test_stores(tmp_path)[data.FACE_FORENSICS]) as store:
        mark, count = store.fingerprint, len(store)
    (scores,) = [entry["scores"] for key, entry in entries.items() if key[-1] == mark]
    assert len(scores) == count
    assert all(0 <= score <= 1 for score in scores)

    again = bench(
        synthetic_data, "--keep", tmp_path, "--only", "recipe-1", "--seeds", "1", "--json"
    )
    assert again.stdout == done.stdout
    assert model.stat().st_mtime_ns == trained


@pytest.mark.slow
def test_rows_with_a_gan_share_it(
    synthetic_data: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(data.VARIABLE, str(synthetic_data))
    monkeypatch.setattr(rows, "EPOCHS", 1)
    for name in rows.VARIANTS:
        settings = dict(rows.SINGLE_TRAININGS[name])
        settings["training"] = {**settings.get("training", {}), "views": 1}
        settings["space"] = {**settings.get("space", {}), "backbones": ["small_cnn"]}
        monkeypatch.setitem(rows.SINGLE_TRAININGS, name, settings)
    for module in (rows, accuracy_training):
        monkeypatch.setattr(module, "GAN", dict(rows.GAN) | {"steps": 3})
    (common,) = accuracy.make_test_sets(kept, [])
    layers = {}
    for name in rows.VARIANTS:
        row = rows.Row(name, 3)
        accuracy_training.train_and_score(kept, row, [common])
        assert rows.find_missing_scores(kept, row, [common]) == []
        (path,) = (kept / "rows").glob(f"{row.name}-*/best_model.h5")
        model = keras.models.load_model(path, compile=False)
        layers[name] = {layer.name.split("_")[0] for layer in model.layers}
    assert "gan" in layers[rows.GAN_STREAM]
    assert "spatial" not in layers[rows.GAN_STREAM]
    assert layers[rows.GAN_FAKES] == layers[rows.NO_PSEUDO_FAKES] > {"spatial"}
    (gan,) = (kept / "gans").iterdir()
    assert {path.suffix for path in gan.iterdir()} == {".keras", ".npy"}
