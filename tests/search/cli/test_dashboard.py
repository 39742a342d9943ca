"""``dfsearch dashboard`` answers HTTP requests, leaves the run as it was, and ends when told."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from typer.testing import CliRunner

from artifacts.run_directory import RunDirectory
from search.cli.__main__ import app
from search.studies.run_state import RunState

pytest.importorskip("optuna_dashboard")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run with one finished trial."""
    run = RunDirectory(tmp_path / "run")
    run.trial("architecture", 0).mkdir(parents=True)
    (run.trial("architecture", 0) / "history.csv").write_text("epoch,val_auc\n1,0.5\n2,0.8\n")
    run.config.write_text('store = "store.h5"\n')
    RunState.begin(run, "0" * 64)
    storage = JournalStorage(JournalFileBackend(str(run.journal)))
    study = optuna.create_study(study_name="architecture", storage=storage, direction="maximize")
    study.tell(study.ask(), 0.8)
    return run


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_serves_studies_and_artifacts_until_interrupted(run: RunDirectory) -> None:
    before = _content(run.root)
    command = [sys.executable, "-m", "search.cli", "dashboard", str(run.root)]
    with (
        subprocess.Popen(
            [*command, "--port", "0", "--no-browser"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as served,
        contextlib.ExitStack() as at_end,
    ):
        # Leaving the block waits for the process, so a failed assertion has to kill it.
        at_end.callback(served.kill)
        assert served.stdout is not None
        line = served.stdout.readline()
        found = re.search(r"(http://127\.0\.0\.1:\d+)/ \(stop it with Ctrl-C\)", line)
        assert found, line
        address = found[1]

        def get(path: str) -> bytes:
            with urllib.request.urlopen(address + path, timeout=60) as answer:
                return bytes(answer.read())

        (study,) = json.loads(get("/api/studies"))["study_summaries"]
        assert study["study_name"] == "architecture"
        (trial,) = json.loads(get(f"/api/studies/{study['study_id']}"))["trials"]
        artifacts = {told["filename"]: told["artifact_id"] for told in trial["artifacts"]}
        place = f"/artifacts/{study['study_id']}/{trial['trial_id']}"
        assert get(f"{place}/{artifacts['history.csv']}") == b"epoch,val_auc\n1,0.5\n2,0.8\n"
        assert get(f"{place}/{artifacts['curves.png']}").startswith(b"\x89PNG")

        served.send_signal(signal.SIGINT)
        assert served.wait(timeout=60) == 0
        assert served.stderr is not None
        assert served.stderr.read() == ""
    assert _content(run.root) == before


def test_a_run_that_has_not_begun_is_one_line_and_left_as_it_was(run: RunDirectory) -> None:
    run.journal.unlink()
    before = _content(run.root)
    refused = CliRunner().invoke(app, ["dashboard", str(run.root), "--no-browser"])
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert line.endswith("has no trials yet; wait for the first one")
    assert _content(run.root) == before
