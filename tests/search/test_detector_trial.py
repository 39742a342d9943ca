from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from artifacts import records
from artifacts.run_directory import RunDirectory
from search import studies

PARTS = (records.VAL_AUC, records.VAL_PSEUDO_AUC, records.VAL_PAIR_RANKING)


def test_a_trial_is_worth_the_mean_of_its_parts_and_keeps_each(finished_run: Path) -> None:
    run = RunDirectory(finished_run)
    found = studies.trials(run.journal)
    complete = [
        trial for stage in records.DETECTOR_STAGES for trial in found[stage] if trial.values
    ]
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
    trial = studies.trials(RunDirectory(finished_run).journal)[origin["stage"]][origin["trial"]]
    assert origin["trial_validation"]["auc"] == trial.user_attrs[records.VAL_AUC]
