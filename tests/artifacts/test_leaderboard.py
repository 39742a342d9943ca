"""The leaderboard reads the same as JSON, as CSV and as a table."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import Any

import pytest
from rich.console import Console

from artifacts import columns, leaderboard
from artifacts.records import TrialRecord
from data_prep.errors import UserError

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
    for shown in ("1", "complete", "0.912", "12.3k", "6"):
        assert f" {shown} " in first
    assert "spatial small_cnn bilstm + noise-residual" in first
    assert any("KID 0.042" in line and "dense, hinge, latent 64" in line for line in lines)


def test_what_is_tied_with_the_best_is_marked_and_a_score_without_training_has_no_rank() -> None:
    records = [
        _record(val_auc_ci=(0.801, 0.987), tied_with_best=True),
        _record(stage="untrained", trial=0, rank=None, tied_with_best=True, hyperparameters={}),
        _record(rank=2, trial=6, tied_with_best=True, latency_ms=12.34),
        _record(rank=3, trial=7, tied_with_best=False),
    ]
    first, untrained, second, third = _text(records).splitlines()[-5:-1]
    assert "0.912 [0.80, 0.99]" in first
    assert "=" not in first
    assert untrained.split()[:3] == ["=", "no", "training"]
    assert "complete" not in untrained
    assert second.split()[:2] == ["2", "="]
    assert "12.3" in second
    assert third.split()[:2] == ["3", "architecture"]


def test_chosen_columns_are_shown_in_their_order_and_unknown_ones_refused() -> None:
    chosen = columns.columns(["trial", "epochs", "lineage"])
    record = _record(epochs=3, epochs_asked=6, lineage="architecture/1", what="small")
    console = Console(file=io.StringIO(), width=80)
    console.print(leaderboard.to_table([record], "run", chosen))
    head, _, row = console.file.getvalue().splitlines()[2:5]  # type: ignore[attr-defined]
    assert head.split() == ["trial", "epochs", "made", "from"]
    assert row.split() == ["architecture", "4", "3", "of", "6", "architecture/1"]
    with pytest.raises(UserError, match="no column speed; there are run, rank, trial"):
        columns.columns(["trial", "speed"])


def test_every_column_has_words_for_every_record() -> None:
    for column in columns.COLUMNS.values():
        assert all(isinstance(column.cell(record), str) for record in RECORDS)
    fields = {field.name for field in dataclasses.fields(TrialRecord)}
    assert set(columns.COLUMNS) <= fields


def test_all_columns_are_those_that_have_something_to_say() -> None:
    names = [column.name for column in columns.columns(["all"], RECORDS)]
    assert {"rank", "trial", "val_auc", "kid", "reason"} < set(names)
    assert not {"run", "peak_mb", "latency_ms"} & set(names)
    assert columns.columns(["all"], []) == []


def test_markdown_keeps_a_row_in_a_line_and_its_letters_as_they_are() -> None:
    lines = leaderboard.to_markdown(RECORDS).splitlines()
    assert len(lines) == 2 + len(RECORDS)
    cells = [line.replace("\\|", "").count("|") for line in lines]
    assert set(cells) == {cells[0]}
    assert "architecture 4" in lines[2]
    assert "0.912" in lines[2]
    assert r"shape \[none\]" in lines[-1]


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, ""), (0, "0"), (999, "999"), (12_345, "12.3k"), (3_433_549, "3.4M"), (143_970, "144k")],
)
def test_counts_are_short(count: int | None, shown: str) -> None:
    assert columns.counted(count) == shown


def test_brackets_in_a_reason_or_title_are_shown_as_they_are() -> None:
    text = _text(RECORDS, title="runs/[/b]")
    assert "runs/[/b]" in text
    assert "shape [none]" in text
    assert "[/x]" in text


def test_the_table_fits_a_narrow_terminal() -> None:
    assert all(len(line) <= 80 for line in _text(RECORDS, width=80).splitlines())


def test_nothing_is_cut_off_at_a_hundred_characters() -> None:
    record = _record(
        rank=12,
        trial=99,
        val_auc_ci=(0.801, 0.987),
        tied_with_best=True,
        params=3_433_549,
        latency_ms=123.4,
        seconds=1234,
    )
    cases = {
        "1234": record,
        "0.750": dataclasses.replace(record, objective=0.75),
        "a-run-of": dataclasses.replace(record, run="a-run-of-which-the-name-is-long"),
    }
    for beside, case in cases.items():
        text = _text([case], width=100)
        assert "…" not in text
        first = ("12 =", "architecture 99", "complete", "0.912 [0.80, 0.99]", "3.4M", "123.4")
        assert all(f" {shown} " in text for shown in first)
        assert beside in text


def test_the_score_has_a_column_where_ranks_follow_more_than_the_auc() -> None:
    assert "score" not in _text(RECORDS)
    scored = _record(objective=0.654321, val_pseudo_auc=0.5, val_pair_ranking=0.6)
    assert "score" in _text([scored])
    assert "0.654" in _text([scored])
