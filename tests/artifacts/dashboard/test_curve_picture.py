"""Curves are read from histories as they are and drawn to be looked at."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artifacts.dashboard.curve_picture import draw_curves, read_curves


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


@pytest.mark.parametrize(
    "content", [b"", b"epoch,val_auc\n", b"\x00\xff\xfe", b"epoch,val_auc\n1", b"a,b\n1,2\n"]
)
def test_what_is_no_history_has_no_curves(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    assert read_curves(path) == {}
    assert read_curves(tmp_path / "none.csv") == {}


def test_a_curve_that_rises_is_drawn_rising() -> None:
    drawn = draw_curves({"val_auc": [(1, 0.5), (2, 0.7), (3, 0.9)], "loss": [(1, 1.0)]}, "t")
    picture = Image.open(io.BytesIO(drawn))
    assert picture.size == (720, 400)
    pixels = np.asarray(picture).astype(int)
    blue = (pixels[..., 2] > 120) & (pixels[..., 0] < 80)
    upper = np.argwhere(blue[:200])
    left, right = upper[upper[:, 1] < 120], upper[upper[:, 1] > 640]
    assert left[:, 0].mean() > right[:, 0].mean() + 50
    # A single value lies in the middle of its panel.
    assert len(np.argwhere(blue[200:])) > 0
    assert np.argwhere(blue[200:])[:, 0].mean() == pytest.approx(104, abs=3)
