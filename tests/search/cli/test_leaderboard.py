"""``dfsearch leaderboard`` on a run that went through every stage."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from sklearn import metrics
from typer.testing import CliRunner

from artifacts.leaderboard.validation_split import SCORES, ValidationSplit
from artifacts.run_directory import RunDirectory
from data_prep.store.store import Store
from search.cli.__main__ import app


def dfsearch(*arguments: object) -> Result:
    """Run a command in this process: one of its own takes longer to begin than to answer."""
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def rows(finished_run: Path) -> list[dict[str, Any]]:
    """What ``--json`` says of the finished run."""
    shown = dfsearch("leaderboard", finished_run, "--json")
    assert shown.exit_code == 0, shown.stderr
    return json.loads(shown.stdout)


def test_trials_keep_what_they_say_of_the_validation_clips(
    finished_run: Path, store: Store, rows: list[dict[str, Any]]
) -> None:
    run = RunDirectory(finished_run)
    split = ValidationSplit.read(run)
    val = store.rows("val")
    np.testing.assert_array_equal(split.labels, store.labels[val])
    np.testing.assert_array_equal(split.groups, store.groups[val])
    complete = [row for row in rows if row["state"] == "complete" and row["stage"] != "gan"]
    assert len(complete) == 3
    for row in complete:
        scores = np.load(run.trial(row["stage"], row["trial"]) / SCORES)
        assert metrics.roc_auc_score(split.labels, scores) == pytest.approx(row["val_auc"])


def test_trials_tell_what_they_cost_and_where_they_come_from(
    finished_run: Path, rows: list[dict[str, Any]]
) -> None:
    for row in rows:
        assert row["peak_mb"] > 100
        if row["stage"] == "gan":
            continue
        model = finished_run / "trials" / row["stage"] / str(row["trial"]) / "model.keras"
        assert row["file_mb"] == round(model.stat().st_size / 1e6, 3)
        assert row["samples"] == row["samples_asked"] >= row["best_samples"] >= 16
        assert "spatial" in row["streams"]
        assert row["backbone"].startswith("small_cnn ")
    (training,) = (row for row in rows if row["stage"] == "training")
    latency = {f"{row['stage']}/{row['trial']}": row["latency_ms"] for row in rows}
    assert latency["training/0"] == latency[training["lineage"]] > 0
    assert training["lineage"] == f"architecture/{training['hyperparameters']['architecture']}"
    assert training["samples"] >= training["hyperparameters"]["samples"]


def test_rows_are_chosen_sorted_and_cut_in_every_format(finished_run: Path) -> None:
    asked = ("leaderboard", finished_run, "--filter", "stage=architecture", "--sort", "params")
    of_json = json.loads(dfsearch(*asked, "--json", "--columns", "trial,params").stdout)
    assert [set(row) for row in of_json] == [{"trial", "params"}] * 2
    assert of_json[0]["params"] <= of_json[1]["params"]
    of_csv = list(csv.DictReader(io.StringIO(dfsearch(*asked, "--csv").stdout)))
    assert [row["trial"] for row in of_csv] == [str(row["trial"]) for row in of_json]
    table = dfsearch(*asked, "--markdown", "--top", 1, "--columns", "trial,params").stdout
    assert table.splitlines()[:2] == ["| trial | params |", "| :-- | --: |"]
    assert f"architecture {of_json[0]['trial']} |" in table.splitlines()[2]
    assert len(table.splitlines()) == 3


def test_two_runs_on_one_store_are_one_table(finished_run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(finished_run, other, ignore=shutil.ignore_patterns("*.keras", "*.h5"))
    found = json.loads(dfsearch("leaderboard", finished_run, other, "--json").stdout)
    ranked = [row for row in found if row["rank"] is not None]
    assert [row["rank"] for row in ranked] == [1, 2, 3, 4, 5, 6]
    assert {row["run"] for row in ranked} == {"run", "other"}
    aucs = [row["val_auc"] for row in ranked]
    assert aucs == sorted(aucs, reverse=True)
    shown = dfsearch("leaderboard", finished_run, other)
    assert " other " in shown.stdout
    (other / "run.json").write_text('{"store_fingerprint": "another"}')
    refused = dfsearch("leaderboard", finished_run, other)
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert "are runs on different stores" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--columns", "speed"), "no column speed; there are run, rank"),
        (("--columns", "speed", "--json"), "no field speed"),
        (("--sort", "speed"), "no field speed"),
        (("--sort", "hyperparameters"), "values of this column have no order"),
        (("--filter", "speed>1"), "no field speed"),
        (("--filter", "fast"), "is no condition; write NAME=VALUE"),
        (("--filter", "val_auc>high"), "'high' is not a number"),
        (("--json", "--csv"), "choose one of --json, --csv and --markdown"),
    ],
    ids=str,
)
def test_a_slip_is_one_line(finished_run: Path, arguments: tuple[str, ...], said: str) -> None:
    refused = dfsearch("leaderboard", finished_run, *arguments)
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert said in line
    assert refused.stdout == ""


def test_what_an_older_run_lacks_is_left_empty(finished_run: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(finished_run, older, ignore=shutil.ignore_patterns("validation.*", "*.keras"))
    config = (older / "config.toml").read_text().splitlines()
    config = ['store = "gone.h5"' if line.startswith("store") else line for line in config]
    (older / "config.toml").write_text("\n".join(config))
    found = json.loads(dfsearch("leaderboard", older, "--json").stdout)
    assert len(found) == 4
    assert all(row["val_eer"] is None and row["tied_with_best"] is None for row in found)
    shown = dfsearch("leaderboard", older)
    assert shown.exit_code == 0, shown.stderr
    assert "no intervals, ties or baselines: no store at" in shown.stdout


def test_a_damaged_history_is_shown_as_it_is(finished_run: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(finished_run, damaged, ignore=shutil.ignore_patterns("*.keras"))
    history = damaged / "trials" / "architecture" / "0" / "history.csv"
    history.write_bytes(history.read_bytes() + b"3,0.5,\xff\xfe")
    shown = dfsearch("leaderboard", damaged, "--trial", "architecture/0")
    assert shown.exit_code == 0, shown.stderr
    assert "val_auc" in shown.stdout
