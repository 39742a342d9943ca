"""The picture shows every kind of clip, and is whole or not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.audit.sample_picture import COLUMNS, draw_samples
from data_prep.errors import UserError
from data_prep.store.store import Clip, Store, write_store

MakeClip = Callable[..., Clip]


@pytest.fixture
def store_path(make_clip: MakeClip, tmp_path: Path) -> Path:
    """Reals are red, one method is green, one blue; the middle frame alone has the colour."""
    clips = []
    for number in range(COLUMNS + 2):
        for channel, kind in enumerate(("real", "swap", "面 " * 40)):
            frames = np.zeros((3, 32, 32, 4), np.uint8)
            frames[1, ..., channel] = 200
            clips.append(make_clip(str(number), kind, key=f"set/{kind}/q/{number}", frames=frames))
    write_store(tmp_path / "store.h5", clips, [], {})
    return tmp_path / "store.h5"


def test_every_kind_has_a_row_of_its_crops(store_path: Path, tmp_path: Path) -> None:
    with Store(store_path) as store:
        draw_samples(store, tmp_path / "samples.png")
    with Image.open(tmp_path / "samples.png") as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    for channel in range(3):
        colour = np.zeros(3, int)
        colour[channel] = 200
        painted = np.abs(pixels - colour).max(axis=-1) < 5
        assert painted.sum() == COLUMNS * 128 * 128
        assert (painted.any(axis=1)).sum() == 128
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["samples.png", "store.h5"]


def test_the_choice_depends_on_the_seed_alone(store_path: Path, tmp_path: Path) -> None:
    with Store(store_path) as store:
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            draw_samples(store, tmp_path / f"{name}.png", seed=seed)
    content = {name: (tmp_path / f"{name}.png").read_bytes() for name in "abc"}
    assert content["a"] == content["b"] != content["c"]


def test_a_picture_that_cannot_be_written_is_a_clear_error(
    store_path: Path, tmp_path: Path
) -> None:
    with Store(store_path) as store, pytest.raises(UserError, match="cannot be written"):
        draw_samples(store, tmp_path / "nowhere" / "samples.png")
