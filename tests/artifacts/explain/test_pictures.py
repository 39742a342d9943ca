from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from artifacts.explain.pictures import overlay, strip


def decoded(png: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_heat_is_laid_over_where_it_is_and_nowhere_else() -> None:
    frames = np.full((2, 8, 8, 4), 100, np.uint8)
    heat = np.zeros((2, 8, 8), np.float32)
    heat[1, 2:4, 2:4] = 1
    heat[1, 6, 6] = 0.5
    shown = overlay(frames, heat)
    assert shown.shape == (2, 8, 8, 3) and shown.dtype == np.uint8
    changed = (shown != 100).any(axis=3)
    np.testing.assert_array_equal(changed, heat > 0)
    red, green, blue = shown[1, 2, 2].astype(int)
    assert red > 180 and green > 180 > blue  # the hot end of the colours is a light yellow
    assert np.abs(shown[1, 6, 6].astype(int) - 100).sum() < np.abs(shown[1, 2, 2] - 100.0).sum()
    assert (frames == 100).all()


def test_a_strip_has_each_frame_above_itself_with_its_heat() -> None:
    frames = np.zeros((12, 16, 16, 4), np.uint8)
    frames[..., 0] = 20 * np.arange(12)[:, None, None]
    heat = np.zeros((12, 16, 16), np.float32)
    heat[11] = 1
    picture = decoded(strip(frames, heat, count=3))
    assert picture.shape == (2 * 112 + 4, 3 * 116 - 4, 3)
    reds = [picture[50, 50 + 116 * place, 0] for place in range(3)]
    assert reds == [0, 120, 220]  # frames 0, 6 and 11
    np.testing.assert_array_equal(picture[:112, :228], picture[116:, :228])
    assert (picture[116:, 232:] != picture[:112, 232:]).any(axis=2).all()


def test_a_strip_shows_the_hottest_frame() -> None:
    frames = np.zeros((12, 16, 16, 4), np.uint8)
    frames[..., 0] = 20 * np.arange(12)[:, None, None]
    heat = np.zeros((12, 16, 16), np.float32)
    heat[4, 0, 0] = 0.1
    picture = decoded(strip(frames, heat, count=3))
    assert [picture[50, 50 + 116 * place, 0] for place in range(3)] == [0, 80, 220]


def test_a_strip_of_a_still_has_one_column_and_its_time() -> None:
    still, cold = np.zeros((1, 16, 16, 3), np.uint8), np.zeros((1, 16, 16), np.float32)
    picture = decoded(strip(still, cold, times=np.array([1.25])))
    assert picture.shape == (18 + 2 * 112 + 4, 112, 3)
    assert picture[:18].min() < 100 and picture[0].min() == 255
