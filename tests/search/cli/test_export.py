from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from artifacts.run_directory import RunDirectory
from search.cli.__main__ import app


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> RunDirectory:
    """A finished run of one's own."""
    shutil.copytree(finished_run, tmp_path / "run")
    return RunDirectory(tmp_path / "run")


def _export(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)], env={"COLUMNS": "200"})


def test_a_run_is_exported_on_its_validation_split_with_its_card(
    run: RunDirectory, tmp_path: Path
) -> None:
    shown = _export(run.root, "--format", "h5", "--out", tmp_path / "out", "--json")
    assert shown.exit_code == 0, shown.output
    result = json.loads(shown.stdout)
    assert result == json.loads((tmp_path / "out" / "exports.json").read_text())
    assert result["clips"].endswith("clips of the validation split")
    (row,) = result["rows"]
    assert row["file"] == "deepfake_detector.h5" and row["error"] == ""
    assert row["difference"] < 1e-5
    certificate = json.loads(run.certificate.read_text())
    assert row["auc"] == pytest.approx(certificate["validation"]["auc"], abs=1e-3)
    assert "Made on synthetic data" in (run.root / "MODEL_CARD.md").read_text()
    assert not (run.root / "exports").exists()


def test_a_changed_model_is_exported_only_on_demand_and_a_broken_one_never(
    run: RunDirectory,
) -> None:
    shutil.copy(run.h5, run.root / "sound.h5")
    with run.h5.open("ab") as file:
        file.write(b"x")
    refused = _export(run.root, "--format", "h5")
    assert refused.exit_code == 2
    assert "it was changed or damaged: copy it again, or open it with --untrusted" in refused.stderr
    opened = _export(run.root, "--format", "h5", "--untrusted")
    assert opened.exit_code == 0, opened.output
    assert "deepfake_detector.h5" in opened.stdout
    os.truncate(run.h5, run.h5.stat().st_size // 2)
    broken = _export(run.root, "--format", "h5", "--untrusted")
    assert broken.exit_code == 2
    assert broken.stderr.splitlines()[-1].endswith("best_model.h5 is damaged; not opened")


def test_what_cannot_be_asked_for_is_said_in_one_line(run: RunDirectory, tmp_path: Path) -> None:
    unfinished = tmp_path / "unfinished"
    shutil.copytree(run.root, unfinished)
    RunDirectory(unfinished).certificate.unlink()
    for arguments, reason in (
        ((unfinished, "--format", "h5"), "best_model.json is missing; has the run finished?"),
        ((run.root, "--format", "tflite"), "--format must be all or of h5, keras, saved_model"),
        ((run.root, "--precision", "int4"), "no chosen format can; it is float16 or int8"),
        ((tmp_path, "--format", "h5"), "no run at"),
    ):
        refused = _export(*arguments)
        assert refused.exit_code == 2
        assert refused.stderr.startswith("error: ") and reason in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
