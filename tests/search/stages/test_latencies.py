"""Latencies of kept models are measured at the end; one that cannot be is named."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest

from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from search.config.run_config import resolve
from search.stages import latencies
from search.studies.run_state import RunState
from search.studies.study import (
    open_study,
)
from search.trials.trial import MODEL_FILE


def test_a_model_that_does_not_load_is_named_and_costs_its_figure_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunDirectory(tmp_path)
    RunState.begin(run, "0" * 64)
    study = open_study(run, ARCHITECTURE)
    study.add_trial(
        optuna.trial.create_trial(value=0.8, user_attrs={"val_auc": 0.8, "val_log_loss": 0.3})
    )
    folder = run.trial("architecture", 0)
    folder.mkdir(parents=True)
    (folder / MODEL_FILE).write_bytes(b"no model")
    config = resolve({"store": tmp_path / "store.h5", "run_dir": tmp_path})
    (line,) = latencies.measure(config, run, store=None)  # type: ignore[arg-type]  # never reached
    assert json.loads(run.latencies.read_text()) == {}
    assert capsys.readouterr() == ("", "")
    assert line.startswith("latency of architecture 0 is not known: ")
