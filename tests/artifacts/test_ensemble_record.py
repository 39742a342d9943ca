from __future__ import annotations

from pathlib import Path

import pytest

from artifacts.ensemble_record import EnsembleRecord, Member, ensemble_rows
from artifacts.leaderboard import board as leaderboard
from artifacts.leaderboard import descriptions as wording
from artifacts.records import TrialRecord, ranked
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


def single(value: float, number: int = 0) -> TrialRecord:
    return TrialRecord(
        rank=None,
        stage="architecture",
        trial=number,
        state="complete",
        val_auc=value,
        val_log_loss=0.4,
        kid=None,
        params=10,
        seconds=1.0,
        reason="",
        hyperparameters={"a": 1},
        objective=value,
    )


def test_a_run_without_an_ensemble_has_no_row(tmp_path: Path) -> None:
    assert ensemble_rows(RunDirectory(tmp_path)) == []


def test_its_row_stands_among_the_trials_by_what_it_is_worth(
    ensemble: EnsembleRecord, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path)
    ensemble.write(run)
    found = ranked({}, [single(0.95), *ensemble_rows(run), single(0.85, number=1)])
    assert [(row.rank, row.stage, row.trial) for row in found] == [
        (1, "architecture", 0),
        (2, "ensemble", 0),
        (3, "architecture", 1),
    ]
    row = found[1]
    assert (row.val_auc, row.val_log_loss, row.params, row.seconds) == (0.9, 0.3, 20, 1.5)
    assert row.hyperparameters == {"architecture/3": 0.6, "training/1": 0.4}


def test_tables_name_members_with_weights_and_what_became_of_it(ensemble: EnsembleRecord) -> None:
    row = ensemble.row()
    said = "0.60 architecture/3 + 0.40 training/1"
    assert wording.describe(row, {}) == said
    csv = leaderboard.to_csv([row])
    assert '""architecture/3"": 0.6' in csv
    assert leaderboard.rows([row])[0]["reason"] == "exported"
    assert leaderboard.find([row], "ensemble/0") is row


def test_one_that_failed_has_no_rank(tmp_path: Path) -> None:
    failed = EnsembleRecord(seconds=0.1, reason="OSError: no such file").row()
    (found,) = ranked({}, [failed])
    assert (found.rank, found.state, found.reason) == (None, "failed", "OSError: no such file")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.ensemble.write_text("{")
    with pytest.raises(UserError, match=r"ensemble\.json cannot be read"):
        ensemble_rows(run)
