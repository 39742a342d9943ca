from __future__ import annotations

from pathlib import Path

import pytest

from search.curves import Curve, read_curve, sparkline

HISTORY = """\
epoch,loss,val_auc,val_log_loss
1,0.7,0.5,0.69
2,0.6,0.625,0.66
3,0.5,0.75,0.61
"""


def test_a_detector_is_told_by_its_auc_after_each_epoch(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text(HISTORY)
    assert read_curve(path) == Curve(3, "val_auc", (0.5, 0.625, 0.75))


def test_a_gan_is_told_by_its_kid_at_each_report(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("report,steps,kid\n1,100,0.4\n2,200,0.2\n")
    assert read_curve(path) == Curve(2, "kid", (0.4, 0.2))


@pytest.mark.parametrize("tail", ["4", "4,0.4", "4,0.4,", "4,0.4,nan,0.1", "x,0.4,0.9,0.1\n"])
def test_a_line_that_is_being_written_is_passed_over(tmp_path: Path, tail: str) -> None:
    path = tmp_path / "history.csv"
    path.write_text(HISTORY + tail)
    assert read_curve(path) == Curve(3, "val_auc", (0.5, 0.625, 0.75))


@pytest.mark.parametrize("text", [None, "", "epoch,loss,val_auc\n", "a,b\n1,2\n", "\0\xff"])
def test_where_there_is_no_curve_it_is_empty(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "history.csv"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    assert read_curve(path) == Curve()


def test_a_sparkline_rises_with_its_values_and_keeps_to_its_width() -> None:
    assert sparkline([]) == ""
    assert sparkline([0.5, 0.5]) == "▅▅"
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
    assert sparkline([0.9, *range(20)], width=4) == sparkline([16, 17, 18, 19]) == "▁▃▆█"
