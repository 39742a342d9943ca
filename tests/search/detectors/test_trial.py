from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from artifacts import records
from artifacts.leaderboard.trials import trial_rows
from artifacts.leaderboard.validation_split import read_scores
from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, DETECTOR_STAGES
from search.config.run_config import dump, resolve
from search.stages import architecture
from search.studies.study import (
    open_study,
    read_trials,
)
from search.studies.two_objectives import Reports

PARTS = (records.VAL_AUC, records.VAL_PSEUDO_AUC, records.VAL_PAIR_RANKING)


def test_a_trial_is_worth_the_mean_of_its_parts_and_keeps_each(finished_run: Path) -> None:
    run = RunDirectory(finished_run)
    found = read_trials(run)
    complete = [trial for stage in DETECTOR_STAGES for trial in found[stage.name] if trial.values]
    assert complete
    for trial in complete:
        parts = [trial.user_attrs[name] for name in PARTS]
        assert all(0 <= part <= 1 for part in parts)
        assert trial.value == pytest.approx(sum(parts) / 3)
        # The pruner is told the same figure, of every epoch.
        assert max(trial.intermediate_values.values()) == pytest.approx(trial.value)


def test_every_epoch_is_in_the_history_with_every_part(finished_run: Path) -> None:
    with (RunDirectory(finished_run).trial("architecture", 0) / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss", "val_log_loss", *PARTS} <= set(rows[0])


def test_the_certificate_says_how_the_winner_was_trained_and_has_its_plain_auc(
    finished_run: Path,
) -> None:
    certificate = json.loads(RunDirectory(finished_run).certificate.read_text())
    assert certificate["training"]["pseudo_fakes"] == 0.5
    assert certificate["training"]["augmentation"] == "strong"
    origin = certificate["origin"]
    trial = read_trials(RunDirectory(finished_run))[origin["stage"]][origin["trial"]]
    assert origin["trial_validation"]["auc"] == trial.user_attrs[records.VAL_AUC]


def test_a_pruned_trial_tells_how_many_samples_it_had(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reports, "should_prune", lambda _: True)
    config = resolve(
        {
            "store": store_path,
            "run_dir": tmp_path / "run",
            "space": {"streams": ["spatial"], "backbones": ["small_cnn"]},
            "architecture": {"trials": 1, "samples": 48},
            "training": {
                **{"frames": 0, "augmentation": "none", "pseudo_fakes": 0.0},
                "epoch_samples": 16,
            },
        }
    )
    run = RunDirectory(config.run_dir)
    run.root.mkdir()
    run.config.write_text(dump(config))
    small = {"filters": 0, "stages": 3, "frame_stride": 1}
    chosen = {f"detector/spatial/{name}": value for name, value in small.items()}
    chosen |= {"detector/temporal/kind": "mean"}
    open_study(run, ARCHITECTURE).enqueue_trial(chosen)
    assert architecture.run(config).state == "pruned"
    (row,) = (row for row in trial_rows(read_trials(run)) if row.record.state == "pruned")
    record = row.record
    assert (record.effort.samples, record.effort.samples_asked) == (16, 48)
    assert record.reason.endswith("after 16 samples")
    assert read_scores(run.trial("architecture", record.trial), 8) is None
