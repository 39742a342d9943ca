"""Rows are chosen by conditions, sorted and cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from artifacts.leaderboard.rows import Row
from artifacts.leaderboard.selection import Condition, check_fields, select_rows
from data_prep.errors import UserError

Choose = Callable[..., list[int]]


@pytest.fixture
def four_rows(build_row: Callable[..., Row]) -> list[Row]:
    plain = {"stage": "architecture", "state": "complete"}
    values: list[dict[str, Any]] = [
        {"val_auc": 0.9, "params": 100, "streams": ("spatial", "gan"), "tied_with_best": True},
        {"val_auc": 0.8, "params": 50, "streams": ("spatial",), "tied_with_best": False},
        {"val_auc": 0.7, "params": 200, "state": "pruned", "reason": "val_auc 0.7 after 2 epochs"},
        {"state": "failed", "reason": "out of memory"},
    ]
    return [build_row(**plain | {"trial": number} | row) for number, row in enumerate(values)]


@pytest.fixture
def choose(four_rows: list[Row]) -> Choose:
    def _choose(*conditions: str, **how: Any) -> list[int]:
        found = select_rows(four_rows, list(map(Condition.parse, conditions)), **how)
        return [row.record.trial for row in found]

    return _choose


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("state=complete", [0, 1]),
        ("state!=complete", [2, 3]),
        (" val_auc >= 0.8 ", [0, 1]),
        ("val_auc>0.8", [0]),
        ("val_auc<8e-1", [2]),
        ("params<=100", [0, 1]),
        ("params=100.0", [0]),
        ("params!=100", [1, 2]),
        ("streams~gan", [0]),
        ("streams=spatial", [1]),
        ("tied_with_best=true", [0]),
        ("reason~memory", [3]),
        ("reason=", []),
        ("trial>2", [3]),
    ],
)
def test_conditions_leave_the_rows_that_meet_them(
    choose: Choose, condition: str, expected: list[int]
) -> None:
    assert choose(condition) == expected


def test_all_conditions_must_be_met(choose: Choose) -> None:
    assert choose("state=complete", "params<100") == [1]
    assert choose() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("complete", "is no condition"),
        ("", "is no condition"),
        ("=complete", "is no condition"),
        ("speed=1", "no field speed"),
        ("val_auc>", "'' is not a number"),
        ("val_auc>high", "'high' is not a number"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Condition.parse(text)


@pytest.mark.parametrize("text", ["state>3", "val_auc=high"])
def test_text_and_numbers_are_not_compared(choose: Choose, text: str) -> None:
    with pytest.raises(UserError, match="not a number"):
        choose(text)


@pytest.mark.parametrize(
    ("sort", "backwards", "expected"),
    [
        ("val_auc", False, [0, 1, 2, 3]),
        ("val_auc", True, [2, 1, 0, 3]),
        ("params", False, [1, 0, 2, 3]),
        ("params", True, [2, 0, 1, 3]),
        ("state", False, [0, 1, 3, 2]),
        ("", True, [3, 2, 1, 0]),
        ("", False, [0, 1, 2, 3]),
    ],
)
def test_sorting_puts_the_better_first_and_the_unknown_last(
    choose: Choose, sort: str, backwards: bool, expected: list[int]
) -> None:
    assert choose(sort=sort, backwards=backwards) == expected


def test_the_first_are_those_of_the_rows_left(choose: Choose) -> None:
    assert choose("state=complete", sort="params", top=1) == [1]
    assert len(choose(top=10)) == 4


def test_fields_are_those_of_rows(four_rows: list[Row]) -> None:
    assert check_fields(["trial", "hyperparameters"]) == ("trial", "hyperparameters")
    assert "reason" in check_fields(["all"])
    with pytest.raises(UserError, match="no field speed"):
        check_fields(["speed"])
    with pytest.raises(UserError, match="no order"):
        select_rows(four_rows, sort="hyperparameters")
