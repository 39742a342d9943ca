"""The leaderboard reads the same as JSON, as CSV and as a table."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import Any

import pytest
from rich.console import Console

from artifacts import leaderboard
from artifacts.records import TrialRecord

ARCHITECTURE = {
    "detector/spatial": True,
    "detector/spatial/backbone": "small_cnn",
    "detector/temporal/kind": "bilstm",
    "detector/noise_residual": True,
    "detector/noise_residual/filters": 8,
    "detector/micro_expression": False,
}
TRAINING = {
    "architecture": "4",
    "optimizer": "adamw",
    "learning_rate": 0.0012345,
    "batch_size": 16,
    "epochs": 7,
    "augmentation": "strong",
}


def _record(**changes: Any) -> TrialRecord:
    record = TrialRecord(
        rank=1,
        stage="architecture",
        trial=4,
        state="complete",
        val_auc=0.91234,
        val_log_loss=0.3,
        kid=None,
        params=12345,
        seconds=6.4,
        reason="",
        hyperparameters=ARCHITECTURE,
    )
    return dataclasses.replace(record, **changes)


RECORDS = [
    _record(),
    _record(rank=2, stage="training", trial=0, val_auc=0.8, hyperparameters=TRAINING),
    _record(
        rank=None,
        stage="gan",
        trial=1,
        val_auc=None,
        val_log_loss=None,
        kid=0.0421,
        hyperparameters={"kind": "dense", "loss": "hinge", "latent": 64},
    ),
    _record(
        rank=None,
        trial=5,
        state="failed",
        val_auc=None,
        val_log_loss=None,
        params=None,
        seconds=None,
        reason='ValueError: shape [none] and "a, b"\n[/x]',
        hyperparameters={},
    ),
]


def _text(records: list[TrialRecord], title: str = "runs/demo", width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(leaderboard.to_table(records, title))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_rows_hold_every_field_and_go_through_json() -> None:
    rows = leaderboard.rows(RECORDS)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    needed = {"rank", "stage", "trial", "state", "val_auc", "params", "seconds", "reason"}
    assert all(needed | {"hyperparameters"} <= set(row) for row in rows)
    assert rows[0]["hyperparameters"] == ARCHITECTURE


def test_the_csv_parses_back() -> None:
    found = list(csv.DictReader(io.StringIO(leaderboard.to_csv(RECORDS))))
    assert len(found) == len(RECORDS)
    for row, record in zip(found, RECORDS, strict=True):
        assert row["stage"] == record.stage
        assert int(row["trial"]) == record.trial
        assert row["rank"] == ("" if record.rank is None else str(record.rank))
        assert row["val_auc"] == ("" if record.val_auc is None else repr(record.val_auc))
        assert row["reason"] == record.reason
        assert json.loads(row["hyperparameters"]) == record.hyperparameters


def test_no_records_are_a_table_and_a_csv_with_a_header_alone() -> None:
    assert list(csv.DictReader(io.StringIO(leaderboard.to_csv([])))) == []
    assert leaderboard.to_csv([]).startswith("rank,stage,trial,state,val_auc")
    assert "val AUC" in _text([])


def test_the_table_shows_rank_score_and_what_was_tried() -> None:
    lines = _text(RECORDS).splitlines()
    (first,) = (line for line in lines if "architecture 4" in line)
    for shown in ("1", "complete", "0.912", "12,345", "6"):
        assert f" {shown} " in first
    assert "spatial small_cnn bilstm + noise-residual" in first
    assert any("KID 0.042" in line and "dense, hinge, latent 64" in line for line in lines)


@pytest.mark.parametrize(
    "chosen", [{"detector/gan": True}, {"detector/gan": True, "detector/gan/frame_stride": 2}]
)
def test_the_gan_stream_is_named_also_where_it_has_nothing_to_choose(
    chosen: dict[str, object],
) -> None:
    plain = {"detector/noise_residual/filters": 8}
    record = _record(stage="architecture", hyperparameters=plain | chosen)
    assert leaderboard.describe(record, {}) == "noise-residual + gan"
    off = _record(stage="architecture", hyperparameters=plain | {"detector/gan": False})
    assert leaderboard.describe(off, {}) == "noise-residual"


def test_a_gan_says_how_sure_its_kid_is_and_what_its_discriminator_detects() -> None:
    record = dataclasses.replace(
        RECORDS[2], kid_error=0.0123, kid_features="vgg16", detector_auc=0.6149
    )
    assert leaderboard.describe(record, {}) == (
        "dense, hinge, latent 64; KID ± 0.012 of vgg16 features; discriminator alone: val AUC 0.615"
    )
    (row,) = leaderboard.rows([record])
    assert (row["kid_error"], row["detector_auc"]) == (0.0123, 0.6149)


def test_brackets_in_a_reason_or_title_are_shown_as_they_are() -> None:
    text = _text(RECORDS, title="runs/[/b]")
    assert "runs/[/b]" in text
    assert "shape [none]" in text
    assert "[/x]" in text


def test_the_table_fits_a_narrow_terminal() -> None:
    assert all(len(line) <= 80 for line in _text(RECORDS, width=80).splitlines())


def test_a_training_trial_says_which_architecture_it_trained() -> None:
    found = leaderboard.describe(RECORDS[1], {"4": ARCHITECTURE})
    assert found == (
        "spatial small_cnn bilstm + noise-residual (trial 4): adamw 0.0012, batch 16, 7 epochs, "
        "strong augmentation"
    )


def test_what_a_training_looked_at_and_minimised_is_named() -> None:
    chosen = {
        **TRAINING,
        "augmentation": "none",
        "pseudo_fakes": 0.5,
        "gan_fakes": True,
        "loss": "focal",
        "mixup": 0.2,
        "weight_averaging": True,
    }
    found = leaderboard.describe(_record(stage="training", hyperparameters=chosen), {})
    assert found.endswith(
        "7 epochs, 50% pseudo-fakes, GAN fakes, focal loss, mixup, averaged weights"
    )


def test_the_score_has_a_column_where_ranks_follow_more_than_the_auc() -> None:
    assert "score" not in _text(RECORDS)
    scored = _record(objective=0.654321, val_pseudo_auc=0.5, val_pair_ranking=0.6)
    assert "score" in _text([scored])
    assert "0.654" in _text([scored])


@pytest.mark.parametrize("stage", ["architecture", "gan", "training"])
def test_a_trial_that_has_not_chosen_yet_is_described_by_nothing(stage: str) -> None:
    assert leaderboard.describe(_record(stage=stage, hyperparameters={}), {}) == ""
