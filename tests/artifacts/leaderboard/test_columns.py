"""Every field of a row has a column with words of its own."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from artifacts.leaderboard import board as leaderboard
from artifacts.leaderboard import columns
from artifacts.leaderboard.rows import FIELDS, Row
from data_prep.errors import UserError

MakeRow = Callable[..., Row]


def test_chosen_columns_are_shown_in_their_order_and_unknown_ones_refused(
    make_row: MakeRow,
) -> None:
    chosen = columns.choose_columns(["trial", "samples", "lineage"])
    row = make_row(samples=3, samples_asked=6, lineage="architecture/1", what="small")
    console = Console(file=io.StringIO(), width=80)
    console.print(leaderboard.to_table([row], "run", chosen))
    head, _, row = console.file.getvalue().splitlines()[2:5]  # type: ignore[attr-defined]
    assert head.split() == ["trial", "samples", "made", "from"]
    assert row.split() == ["architecture", "4", "3", "of", "6", "architecture/1"]
    with pytest.raises(UserError, match="no column speed; there are run, rank, trial"):
        columns.choose_columns(["trial", "speed"])


def test_every_column_has_words_for_every_row(rows: list[Row]) -> None:
    for column in columns.COLUMNS.values():
        assert all(isinstance(column.cell(row), str) for row in rows)
    assert set(columns.COLUMNS) <= set(FIELDS)


def test_all_columns_are_those_that_have_something_to_say(rows: list[Row]) -> None:
    names = [column.name for column in columns.choose_columns(["all"], rows)]
    assert {"rank", "trial", "val_auc", "kid", "reason"} < set(names)
    assert not {"run", "peak_mb", "latency_ms"} & set(names)
    assert columns.choose_columns(["all"], []) == []


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, ""), (0, "0"), (999, "999"), (12_345, "12.3k"), (3_433_549, "3.4M"), (143_970, "144k")],
)
def test_counts_are_short(count: int | None, shown: str) -> None:
    assert columns.format_count(count) == shown


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"samples": 6, "samples_asked": 6}, "6"),
        ({"samples": 3, "samples_asked": 6}, "3 of 6"),
        ({"samples": None, "samples_asked": 6}, ""),
    ],
)
def test_samples_are_told_beside_what_was_asked_only_where_they_differ(
    make_row: MakeRow, row: dict[str, int | None], said: str
) -> None:
    assert columns.COLUMNS["samples"].cell(make_row(**row)) == said


def test_the_method_that_was_hardest_to_do_without_is_told_first(make_row: MakeRow) -> None:
    row = make_row(what="small", method_auc={"FaceSwap": 0.9, "Deepfakes": 0.6125})
    said = columns.COLUMNS["what"].cell(row)
    assert said == "small; left out: Deepfakes 0.613, FaceSwap 0.900"
    (column,) = columns.choose_columns(["method_auc"])
    assert column.cell(row) == "Deepfakes 0.613, FaceSwap 0.900"


def _names(*rows: Row) -> list[str]:
    return [column.name for column in columns.default_columns(rows)]


def test_what_is_usual_depends_on_what_was_searched_for(make_row: MakeRow) -> None:
    assert _names(make_row()) == ["rank", "trial", "state", "val_auc", "params", "seconds", "what"]
    other = _names(make_row(objective=0.7))
    assert other[3:5] == ["objective", "val_auc"]
    fronted = _names(make_row(cost="latency_ms", latency_ms=12.0))
    assert fronted[4:6] == ["latency_ms", "on_front"]
    assert fronted.count("latency_ms") == 1
    assert _names(make_row(run="a"))[1] == "run"
    assert "seconds" not in fronted
