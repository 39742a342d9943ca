"""Figures are shown with what they rest on, and what is damaged costs its own table alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artifacts.evaluation.openings import Opening
from artifacts.evaluation.request import Assessment
from artifacts.metrics.metrics import Evaluation
from search.cli.tables.evaluation import print_assessment

Show = Callable[..., str]


@pytest.fixture
def show(exactly_bounded: Evaluation, capsys: pytest.CaptureFixture[str]) -> Show:
    """Print the figures with what is kept beside them."""

    def printed(metrics: Evaluation = exactly_bounded, **beside: Any) -> str:
        kept: dict[str, Any] = {"matched": None, "robustness": None, "scores": ""} | beside
        store = {"path": "store.h5", "fingerprint": "0"}
        openings = kept.pop("openings", ())
        found = Assessment(metrics, store, True, True, openings, **kept)
        print_assessment(found, Path("run"))
        return capsys.readouterr().out

    return printed


def test_an_exact_bound_of_a_method_is_marked(show: Show) -> None:
    shown = show()
    (swap,) = (line for line in shown.splitlines() if "swap" in line)
    (paint,) = (line for line in shown.splitlines() if "paint" in line)
    assert "0.158 to 1.000*" in swap
    assert "*" not in paint
    assert "* exact Clopper-Pearson bound, as all bootstrap draws" in shown


def test_of_many_openings_the_number_and_the_last_are_shown(show: Show) -> None:
    many = tuple(Opening(f"time {number}", "evaluate", {}) for number in range(10_000))
    shown = show(openings=many)
    assert "was opened 10,000 times, at last: time 9997, time 9998, time 9999\n" in shown
    assert "was opened 2 times: time 0, time 1\n" in show(openings=many[:2])


def test_what_is_damaged_costs_its_table_alone(show: Show) -> None:
    shown = show(robustness={"conditions": [{"description": "blur"}]}, matched={"pairs": 3})
    assert "robustness.json is damaged" in shown
    assert "matched.json is damaged" in shown
    assert "TPR at 1% FPR" in shown


def test_a_metric_that_an_earlier_version_lacked_is_empty(
    show: Show, exactly_bounded: Evaluation
) -> None:
    shown = show(dataclasses.replace(exactly_bounded, ece=None))
    (row,) = (line for line in shown.splitlines() if "ECE" in line and "bins" not in line)
    assert "None" not in row
