"""Histories as trials write them: one training, several, and several attempts."""

from __future__ import annotations

from pathlib import Path

import pytest

from artifacts.histories import TrainingHistory, read_curves, read_history, step_of

HEADER = "without,epoch,val_auc\n"
LEFT_OUT = HEADER + "Drawn,1,0.1\nDrawn,2,0.2\nSwapped,1,0.3\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.csv"


def test_curves_come_with_the_most_interesting_first(path: Path) -> None:
    path.write_text("epoch,loss,val_auc,note\n1,0.7,0.5,a\n2,0.6,0.8,b\n")
    curves = read_curves(path)
    assert list(curves) == ["val_auc", "loss"]
    assert curves["val_auc"] == [(1, 0.5), (2, 0.8)]
    path.write_text("report,steps,kid\n1,40,4.5\n2,80,nan\n3,120,\n")
    assert read_curves(path) == {"kid": [(1, 4.5)]}


def test_with_leave_one_method_out_every_training_has_its_own_curves(path: Path) -> None:
    path.write_text(LEFT_OUT)
    assert read_history(path) == [
        TrainingHistory("Drawn", {"val_auc": [(1, 0.1), (2, 0.2)]}),
        TrainingHistory("Swapped", {"val_auc": [(1, 0.3)]}),
    ]
    assert read_curves(path) == {}
    path.write_text(LEFT_OUT + ",1,0.8\n,2,0.9\n")
    assert read_history(path)[-1] == TrainingHistory("", {"val_auc": [(1, 0.8), (2, 0.9)]})
    assert read_curves(path) == {"val_auc": [(1, 0.8), (2, 0.9)]}


def test_after_an_out_of_memory_retry_only_the_retry_is_read(path: Path) -> None:
    path.write_text("epoch,loss,val_auc\n1,0.9,0.1\n2,0.8,0.2\n1,0.7,0.3\n2,0.6,0.4\n")
    curves = {"val_auc": [(1, 0.3), (2, 0.4)], "loss": [(1, 0.7), (2, 0.6)]}
    assert read_history(path) == [TrainingHistory("", curves)]
    assert read_curves(path) == curves


def test_a_retry_with_leave_one_method_out_discards_every_earlier_training(path: Path) -> None:
    path.write_text(LEFT_OUT + ",1,0.8\nDrawn,1,0.4\n")
    assert read_history(path) == [TrainingHistory("Drawn", {"val_auc": [(1, 0.4)]})]
    assert read_curves(path) == {}


@pytest.mark.parametrize("tail", ["1", "10", "10,0.", "10,0.4,0.9", "10,0.4,nan\n", "x,0.4,0.9\n"])
def test_a_line_that_is_being_written_is_skipped(path: Path, tail: str) -> None:
    path.write_text("epoch,val_log_loss,val_auc\n8,0.5,0.1\n9,0.4,0.2\n" + tail)
    assert read_curves(path)["val_auc"] == [(8, 0.1), (9, 0.2)]


@pytest.mark.parametrize(
    "content", [b"", b"epoch,val_auc\n", b"\x00\xff\xfe", b"epoch,val_auc\n1", b"a,b\n1,2\n"]
)
def test_a_file_without_a_history_has_no_curves(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert read_curves(path) == {}
    assert read_history(path.with_name("none.csv")) == []


def test_a_row_is_numbered_by_its_epoch_or_report() -> None:
    assert step_of({"epoch": 3, "loss": 0.5}) == 3
    assert step_of({"report": 2, "kid": 0.5}) == 2
    assert step_of({"loss": 0.5}) is None
