"""Rows are chosen by conditions, sorted and cut."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from artifacts.leaderboard.selection import Condition, check_fields, selected
from artifacts.records import TrialRecord
from data_prep.errors import UserError


def _record(trial: int, **changes: Any) -> TrialRecord:
    record = TrialRecord(
        rank=None,
        stage="architecture",
        trial=trial,
        state="complete",
        val_auc=None,
        val_log_loss=None,
        kid=None,
        params=None,
        seconds=None,
        reason="",
        hyperparameters={},
    )
    return dataclasses.replace(record, **changes)


RECORDS = [
    _record(0, val_auc=0.9, params=100, streams=("spatial", "gan"), tied_with_best=True),
    _record(1, val_auc=0.8, params=50, streams=("spatial",), tied_with_best=False),
    _record(2, val_auc=0.7, params=200, state="pruned", reason="val_auc 0.7 after 2 epochs"),
    _record(3, state="failed", reason="out of memory"),
]


def _chosen(*conditions: str) -> list[int]:
    return [record.trial for record in selected(RECORDS, list(map(Condition.parse, conditions)))]


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
def test_conditions_leave_the_rows_that_meet_them(condition: str, expected: list[int]) -> None:
    assert _chosen(condition) == expected


def test_all_conditions_must_be_met() -> None:
    assert _chosen("state=complete", "params<100") == [1]
    assert _chosen() == [0, 1, 2, 3]


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
def test_text_and_numbers_are_not_compared(text: str) -> None:
    with pytest.raises(UserError, match="not a number"):
        _chosen(text)


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
    sort: str, backwards: bool, expected: list[int]
) -> None:
    found = selected(RECORDS, sort=sort, backwards=backwards)
    assert [record.trial for record in found] == expected


def test_the_first_are_those_of_the_rows_left() -> None:
    conditions = [Condition.parse("state=complete")]
    assert [record.trial for record in selected(RECORDS, conditions, "params", 1)] == [1]
    assert len(selected(RECORDS, top=10)) == 4


def test_fields_are_those_of_rows() -> None:
    assert check_fields(["trial", "hyperparameters"]) == ("trial", "hyperparameters")
    assert "reason" in check_fields(["all"])
    with pytest.raises(UserError, match="no field speed"):
        check_fields(["speed"])
    with pytest.raises(UserError, match="no order"):
        selected(RECORDS, sort="hyperparameters")
