from __future__ import annotations

from pathlib import Path

import pytest

from artifacts.ensemble_record import EnsembleRecord, Member, read_ensembles
from artifacts.leaderboard import board as leaderboard
from artifacts.leaderboard.rows import Row, rank_rows
from artifacts.records import TrialRecord, ValidationFigures
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError


def member(stage: str, trial: int, weight: float) -> Member:
    return Member(stage=stage, trial=trial, weight=weight, objective=0.8, hyperparameters={"a": 1})


@pytest.fixture
def ensemble() -> EnsembleRecord:
    return EnsembleRecord(
        members=(member("architecture", 3, 0.6), member("training", 1, 0.4)),
        objective=0.9,
        validation={"val_auc": 0.9, "val_log_loss": 0.3},
        params=20,
        seconds=1.5,
        exported=True,
        reason="exported",
    )


def single(value: float, number: int = 0) -> Row:
    figures = ValidationFigures(objective=value, auc=value, log_loss=0.4)
    return Row(TrialRecord("architecture", number, "complete", validation=figures))


def test_a_run_without_an_ensemble_has_no_row(tmp_path: Path) -> None:
    assert read_ensembles(RunDirectory(tmp_path)) == []


def test_its_row_stands_among_the_trials_by_what_it_is_worth(
    ensemble: EnsembleRecord, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path)
    ensemble.write(run)
    found = rank_rows([single(0.95), *map(Row, read_ensembles(run)), single(0.85, number=1)])
    assert [(row.rank, row.stage, row.record.trial) for row in found] == [
        (1, "architecture", 0),
        (2, "ensemble", 0),
        (3, "architecture", 1),
    ]
    record = found[1].record
    assert record.validation == ValidationFigures(objective=0.9, auc=0.9, log_loss=0.3)
    assert (record.cost.params, record.effort.seconds) == (20, 1.5)
    assert record.hyperparameters == {"architecture/3": 0.6, "training/1": 0.4}


def test_tables_name_members_with_weights_and_what_became_of_it(ensemble: EnsembleRecord) -> None:
    row = Row(ensemble.trial_record())
    assert row.field("what") == "0.60 architecture/3 + 0.40 training/1"
    assert row.field("lineage") == "architecture/3, training/1"
    csv = leaderboard.to_csv([row])
    assert '""architecture/3"": 0.6' in csv
    assert leaderboard.to_dicts([row])[0]["reason"] == "exported"
    assert leaderboard.find_row([row], "ensemble/0") is row


def test_one_that_failed_has_no_rank(tmp_path: Path) -> None:
    failed = EnsembleRecord(seconds=0.1, reason="OSError: no such file").trial_record()
    (found,) = rank_rows([Row(failed)])
    assert (found.rank, found.record.state, found.record.reason) == (
        None,
        "failed",
        "OSError: no such file",
    )


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.ensemble.write_text("{")
    with pytest.raises(UserError, match=r"ensemble\.json cannot be read"):
        read_ensembles(run)
