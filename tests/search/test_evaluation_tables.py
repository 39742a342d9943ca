"""Figures are shown with what they rest on, and what is damaged costs its own table alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artifacts.evaluation.assessment import Assessment
from artifacts.evaluation.metrics import evaluate
from search.evaluation_tables import print_assessment


def _shown(capsys: pytest.CaptureFixture[str], **beside: Any) -> str:
    """What is printed of two fakes found of two people, two missed, and three reals."""
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    found = evaluate(
        labels,
        np.array([0.1, 0.3, 0.6, 0.9, 0.8, 0.2, 0.5]),
        np.arange(7).astype(str),
        np.array([*["real"] * 3, "swap", "swap", "paint", "paint"]),
        np.ones(7),
        split="test",
        threshold=0.5,
        quarantined=0,
    )
    assert found.bounds == {}
    kept: dict[str, Any] = {"matched": None, "robustness": None, "scores": ""}
    store = {"path": "store.h5", "fingerprint": "0"}
    print_assessment(Assessment(found, store, True, True, (), **(kept | beside)), Path("run"))
    return capsys.readouterr().out


def test_an_exact_bound_of_a_method_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _shown(capsys)
    (swap,) = (line for line in shown.splitlines() if "swap" in line)
    (paint,) = (line for line in shown.splitlines() if "paint" in line)
    assert "0.158 to 1.000*" in swap
    assert "*" not in paint
    assert "* every draw of people gives the same" in shown


def test_what_is_damaged_costs_its_table_alone(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _shown(capsys, robustness={"conditions": [{"told": "blur"}]}, matched={"pairs": 3})
    assert "robustness.json is damaged" in shown
    assert "matched.json is damaged" in shown
    assert "TPR at 1% FPR" in shown
