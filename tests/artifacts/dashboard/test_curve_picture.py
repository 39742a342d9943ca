"""Curves are drawn to be looked at."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from artifacts.dashboard.curve_picture import draw_curves


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
