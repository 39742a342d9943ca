"""Figures are shown with what they rest on, and what is damaged costs its own table alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artifacts.evaluation.request import Assessment
from artifacts.metrics.metrics import Evaluation
from search.cli.tables.evaluation import print_assessment

Show = Callable[..., str]


@pytest.fixture
def show(exactly_bounded: Evaluation, capsys: pytest.CaptureFixture[str]) -> Show:
    """Print the figures with what is kept beside them."""

    def printed(**beside: Any) -> str:
        kept: dict[str, Any] = {"matched": None, "robustness": None, "scores": ""} | beside
        store = {"path": "store.h5", "fingerprint": "0"}
        print_assessment(Assessment(exactly_bounded, store, True, True, (), **kept), Path("run"))
        return capsys.readouterr().out

    return printed


def test_an_exact_bound_of_a_method_is_marked(show: Show) -> None:
    shown = show()
    (swap,) = (line for line in shown.splitlines() if "swap" in line)
    (paint,) = (line for line in shown.splitlines() if "paint" in line)
    assert "0.158 to 1.000*" in swap
    assert "*" not in paint
    assert "* exact Clopper-Pearson bound, as all bootstrap draws" in shown


def test_what_is_damaged_costs_its_table_alone(show: Show) -> None:
    shown = show(robustness={"conditions": [{"description": "blur"}]}, matched={"pairs": 3})
    assert "robustness.json is damaged" in shown
    assert "matched.json is damaged" in shown
    assert "TPR at 1% FPR" in shown
