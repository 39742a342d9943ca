from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from artifacts.evaluation import openings
from artifacts.run_directory import RunDirectory, write_json
from search.cli.__main__ import app


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> RunDirectory:
    """A finished run of one's own."""
    shutil.copytree(finished_run, tmp_path / "run")
    return RunDirectory(tmp_path / "run")


def _evaluate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)], env={"COLUMNS": "200"})


def test_the_record_is_shown_and_nothing_is_opened(run: RunDirectory, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.root.iterdir()}
    shown = _evaluate(run.root, "--out", tmp_path / "scores.csv")
    assert shown.exit_code == 0, shown.output
    assert "TPR at 1% FPR" in shown.stdout
    assert "the test split was opened 1 time: 20" in shown.stdout
    assert "SYNTHETIC videos" in shown.stdout
    assert {path: path.stat().st_mtime_ns for path in run.root.iterdir()} == before
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert len(lines) == 9
    assert all(",test," in line for line in lines[1:])


def test_the_figures_are_printed_before_a_file_that_cannot_be_written(
    run: RunDirectory, tmp_path: Path
) -> None:
    (tmp_path / "scores.csv").mkdir()
    shown = _evaluate(run.root, "--out", tmp_path / "scores.csv")
    assert shown.exit_code == 2
    assert "AUC" in shown.stdout
    assert "error: " in shown.stderr


def test_everything_at_once_is_shown_and_kept(run: RunDirectory) -> None:
    shown = _evaluate(run.root, "--robustness", "--json")
    assert shown.exit_code == 0, shown.output
    result: dict[str, Any] = json.loads(shown.stdout)
    certificate = json.loads(run.certificate.read_text())
    assert result["auc"] == pytest.approx(certificate["test"]["auc"])
    assert result["threshold"] == certificate["threshold"]
    assert [entry["by"] for entry in result["test_openings"]] == ["run", "evaluate"]
    assert len(result["robustness"]["conditions"]) == 8
    again = _evaluate(run.root)
    assert "the test split was opened 2 times" in again.stdout
    assert "H.264, CRF 35" in again.stdout


def test_the_opening_at_the_end_of_a_run_is_on_record_once(run: RunDirectory) -> None:
    (first,) = openings.openings(run)
    assert run.openings.is_file()
    certificate = json.loads(run.certificate.read_text())
    assert first.opened == certificate["test_opened"]
    assert first.model == certificate["files"]["h5"]["sha256"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--matched", "size"), "--matched must be sharpness; received size"),
        (("--split", "tests"), "--split must be train, val, test or all; received tests"),
        (("--out", "nowhere/scores.csv"), "there is no folder nowhere"),
        (("nowhere.h5",), "no store at nowhere.h5"),
        (("--matched", "sharpness"), "no pairs to match"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    run: RunDirectory, arguments: tuple[str, ...], message: str
) -> None:
    refused = _evaluate(run.root, *arguments)
    assert refused.exit_code == 2
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("error:")]
    assert message in line


def test_a_run_that_is_not_finished_is_one_line(run: RunDirectory) -> None:
    run.certificate.unlink()
    refused = _evaluate(run.root)
    assert refused.exit_code == 2
    assert "has the run finished?" in refused.stderr


def test_a_run_without_a_test_split_is_one_line(run: RunDirectory, store_path: Path) -> None:
    certificate = json.loads(run.certificate.read_text())
    write_json(run.certificate, certificate | {"test": None, "test_opened": None})
    shown = _evaluate(run.root, "--json")
    # The store has a test split; what the run did not do is done now, and on record.
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["videos"] == 8
