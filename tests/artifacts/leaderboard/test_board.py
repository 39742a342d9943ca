"""The leaderboard reads the same as JSON, as CSV and as a table."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from typing import Any

from rich.console import Console

from artifacts.leaderboard import board as leaderboard
from artifacts.leaderboard.columns import choose_columns
from artifacts.leaderboard.rows import Row

MakeRow = Callable[..., Row]


def _text(rows: list[Row], title: str = "runs/demo", width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(leaderboard.to_table(rows, title))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_dicts_hold_every_field_and_go_through_json(
    rows: list[Row], architecture: dict[str, Any]
) -> None:
    found = leaderboard.to_dicts(rows)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    needed = {"rank", "stage", "trial", "state", "val_auc", "params", "seconds", "reason"}
    assert all(needed | {"hyperparameters"} <= set(row) for row in found)
    assert found[0]["hyperparameters"] == architecture


def test_the_csv_parses_back(rows: list[Row]) -> None:
    found = list(csv.DictReader(io.StringIO(leaderboard.to_csv(rows))))
    assert len(found) == len(rows)
    for line, row in zip(found, rows, strict=True):
        auc, record = row.record.validation.auc, row.record
        assert line["stage"] == record.stage
        assert int(line["trial"]) == record.trial
        assert line["rank"] == ("" if row.rank is None else str(row.rank))
        assert line["val_auc"] == ("" if auc is None else repr(auc))
        assert line["reason"] == record.reason
        assert json.loads(line["hyperparameters"]) == record.hyperparameters


def test_no_rows_are_a_table_and_a_csv_with_a_header_alone() -> None:
    assert list(csv.DictReader(io.StringIO(leaderboard.to_csv([])))) == []
    assert leaderboard.to_csv([]).startswith("rank,stage,trial,state,val_auc")
    assert "val AUC" in _text([])


def test_the_table_shows_rank_score_and_what_was_tried(rows: list[Row]) -> None:
    lines = _text(rows).splitlines()
    (first,) = (line for line in lines if "architecture 4" in line)
    for shown in ("1", "complete", "0.912", "12.3k", "6"):
        assert f" {shown} " in first
    assert "spatial small_cnn bilstm + noise-residual" in first
    assert any("KID 0.042" in line and "dense, hinge, latent 64" in line for line in lines)


def test_what_is_tied_with_the_best_is_marked_and_a_score_without_training_has_no_rank(
    make_row: MakeRow,
) -> None:
    rows = [
        make_row(val_auc_ci=(0.801, 0.987), tied_with_best=True),
        make_row(stage="untrained", trial=0, rank=None, tied_with_best=True, hyperparameters={}),
        make_row(rank=2, trial=6, tied_with_best=True, latency_ms=12.34),
        make_row(rank=3, trial=7, tied_with_best=False),
    ]
    first, untrained, second, third = _text(rows).splitlines()[-5:-1]
    assert "0.912 [0.80, 0.99]" in first
    assert "=" not in first
    assert untrained.split()[:2] == ["=", "baseline"]
    assert "complete" not in untrained
    assert second.split()[:2] == ["2", "="]
    assert "12.3" in second
    assert third.split()[:2] == ["3", "architecture"]


def test_markdown_keeps_a_row_in_a_line_and_its_letters_as_they_are(
    rows: list[Row],
) -> None:
    lines = leaderboard.to_markdown(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    cells = [line.replace("\\|", "").count("|") for line in lines]
    assert set(cells) == {cells[0]}
    assert "architecture 4" in lines[2]
    assert "0.912" in lines[2]
    assert r"shape \[none\]" in lines[-1]


def test_brackets_in_a_reason_or_title_are_shown_as_they_are(rows: list[Row]) -> None:
    text = _text(rows, title="runs/[/b]")
    assert "runs/[/b]" in text
    assert "shape [none]" in text
    assert "[/x]" in text


def test_the_table_fits_a_narrow_terminal(rows: list[Row]) -> None:
    assert all(len(line) <= 80 for line in _text(rows, width=80).splitlines())


def test_nothing_is_cut_off_at_a_hundred_characters(make_row: MakeRow) -> None:
    row: dict[str, Any] = {
        "rank": 12,
        "trial": 99,
        "val_auc_ci": (0.801, 0.987),
        "tied_with_best": True,
        "params": 3_433_549,
        "latency_ms": 123.4,
        "seconds": 1234,
    }
    cases = {
        "1234": row,
        "0.750": row | {"objective": 0.75},
        "a-run-of": row | {"run": "a-run-of-which-the-name-is-long"},
    }
    for beside, case in cases.items():
        text = _text([make_row(**case)], width=100)
        assert "…" not in text
        first = ("12 =", "architecture 99", "complete", "0.912 [0.80, 0.99]", "3.4M", "123.4")
        assert all(f" {shown} " in text for shown in first)
        assert beside in text


def test_the_score_has_a_column_where_ranks_follow_more_than_the_auc(
    make_row: MakeRow, rows: list[Row]
) -> None:
    assert "score" not in _text(rows)
    scored = make_row(objective=0.654321, val_pseudo_auc=0.5, val_pair_ranking=0.6)
    assert "score" in _text([scored])
    assert "0.654" in _text([scored])


def test_a_sheet_shows_every_epoch_as_it_is(rows: list[Row]) -> None:
    history = "without,epoch,loss,val_auc\n[bold]Drawn[/],1,1.2345678901e-05,0.912345678901\n"
    console = Console(file=io.StringIO(), width=160)
    console.print(leaderboard.to_sheet(rows[0], history))
    assert isinstance(console.file, io.StringIO)
    (line,) = (line for line in console.file.getvalue().splitlines() if "Drawn" in line)
    assert line.split() == ["[bold]Drawn[/]", "1", "1.23e-05", "0.912345"]


HOSTILE = "=cmd|' /C calc'!A1\x1b[2J\nrank 1\u202e"


def _hostile(rows: list[Row]) -> Row:
    record = dataclasses.replace(rows[0].record, reason=HOSTILE)
    return dataclasses.replace(rows[0], record=record)


def test_a_text_like_a_formula_is_guarded_in_csv_and_numbers_are_not(rows: list[Row]) -> None:
    (found,) = csv.DictReader(io.StringIO(leaderboard.to_csv([_hostile(rows)])))
    assert found["reason"] == f"'{HOSTILE}"
    assert found["val_auc"] == repr(rows[0].record.validation.auc)


def test_characters_that_act_on_a_terminal_reach_no_table(rows: list[Row]) -> None:
    row = _hostile(rows)
    shown = choose_columns(["trial", "reason"])
    console = Console(file=io.StringIO(), width=200)
    console.print(leaderboard.to_table([row], HOSTILE, shown))
    console.print(leaderboard.to_sheet(row, f"epoch,without\n1,{HOSTILE[:25]}"))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue() + leaderboard.to_markdown([row], shown)
    assert "\\x1b[2J" in text
    assert not {"\x1b", "\u202e"} & set(text)
    assert not any(line.startswith("rank 1") for line in text.splitlines())
