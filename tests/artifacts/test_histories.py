"""Curves are read from histories as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from artifacts.histories import read_curves


def _history(folder: Path, text: str) -> Path:
    path = folder / "history.csv"
    path.write_text(text)
    return path


def test_what_a_history_has_is_read_in_the_order_of_interest(tmp_path: Path) -> None:
    text = "epoch,loss,val_auc,note\n1,0.7,0.5,a\n2,0.6,0.8,b\n"
    curves = read_curves(_history(tmp_path, text))
    assert list(curves) == ["val_auc", "loss"]
    assert curves["val_auc"] == [(1, 0.5), (2, 0.8)]
    gan = read_curves(_history(tmp_path, "report,steps,kid\n1,40,4.5\n2,80,nan\n3,120,\n"))
    assert gan == {"kid": [(1, 4.5)]}


def test_the_trainings_without_a_method_are_left_out(tmp_path: Path) -> None:
    text = "without,epoch,val_auc\nDrawn,1,0.1\nDrawn,2,0.2\n,1,0.8\n,2,0.9\n"
    assert read_curves(_history(tmp_path, text)) == {"val_auc": [(1, 0.8), (2, 0.9)]}


def test_of_a_training_that_began_anew_the_last_is_read(tmp_path: Path) -> None:
    text = "epoch,loss,val_auc\n1,0.9,0.1\n2,0.8,0.2\n1,0.7,0.3\n2,0.6,0.4\n"
    read = read_curves(_history(tmp_path, text))
    assert read == {"val_auc": [(1, 0.3), (2, 0.4)], "loss": [(1, 0.7), (2, 0.6)]}


def test_an_epoch_whose_number_is_being_written_is_passed_over(tmp_path: Path) -> None:
    text = "epoch,val_auc\n8,0.1\n9,0.2\n1"
    assert read_curves(_history(tmp_path, text)) == {"val_auc": [(8, 0.1), (9, 0.2)]}


@pytest.mark.parametrize(
    "content", [b"", b"epoch,val_auc\n", b"\x00\xff\xfe", b"epoch,val_auc\n1", b"a,b\n1,2\n"]
)
def test_what_is_no_history_has_no_curves(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    assert read_curves(path) == {}
    assert read_curves(tmp_path / "none.csv") == {}
