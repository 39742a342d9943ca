from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.errors import UserError
from search.samples.pseudo_fake_page import AMPLIFIED, Blend, draw_page


@pytest.fixture
def blend() -> Blend:
    """A grey picture whose right half was made 10 levels redder."""
    real = np.full((40, 40, 3), 100, np.uint8)
    fake, mask = real.copy(), np.zeros((40, 40), np.float32)
    fake[:, 20:, 0] += 10
    mask[:, 20:] = 0.75
    return Blend("train set/real/anna", real, fake, mask)


def test_real_fake_mask_and_difference_stand_side_by_side(blend: Blend, tmp_path: Path) -> None:
    draw_page([blend], tmp_path / "page.png", title="what it is")
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.png"]
    with Image.open(tmp_path / "page.png") as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB"))
    line = pixels[pixels.shape[0] // 2]
    colours = [(100, 100, 100), (110, 100, 100), (0, 0, 0), (191, 191, 191), (128, 128, 128)]
    colours.append((128 + AMPLIFIED * 10, 128, 128))
    places = [np.flatnonzero((line == colour).all(axis=-1)) for colour in colours]
    # One and a half pictures are grey, then half a picture each.
    halves = [len(found) / len(places[1]) for found in places]
    assert halves == pytest.approx([3, 1, 1, 1, 1, 1], rel=0.1)
    starts = [found.min() for found in places]
    assert starts == sorted(starts)


def test_a_page_grows_with_its_blends(blend: Blend, tmp_path: Path) -> None:
    heights = []
    for count in (0, 2, 3, 4, 6):
        draw_page([blend] * count, tmp_path / "page.png")
        with Image.open(tmp_path / "page.png") as picture:
            heights.append(picture.height)
    row = heights[1] - heights[0]
    assert row > 0
    assert [height - heights[0] for height in heights] == [0, row, 2 * row, 2 * row, 3 * row]


def test_a_page_that_cannot_be_written_is_a_clear_error(blend: Blend, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be written.*picture=PNG"):
        draw_page([blend], tmp_path / "nowhere" / "page.png")
