"""Pseudo-fakes of a store's real clips, drawn as one picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from artifacts.pseudo_fake_page import Blend, draw_page
from data_prep.errors import UserError
from data_prep.store.store import REAL, Store
from search.samples.pseudo_fakes import crop_points, pseudo_fake


def draw_pseudo_fakes(store: Store, path: Path, *, clips: int = 12, seed: int = 0) -> None:
    """Draw the middle frame of pseudo-fakes beside the real clips they are made of, as a PNG.

    Clips are drawn by chance from the reals of the training split, or from all reals where it has
    none; where there are fewer than asked for, some come again with another pseudo-fake.

    Args:
        store: opened for reading.
        path: the picture.
        clips: how many pseudo-fakes.
        seed: of the choice and of the pseudo-fakes.

    Raises:
        UserError: the store has no real clip, or the picture cannot be written.
    """
    reals = store.rows("train", REAL)
    if not len(reals):
        reals = np.flatnonzero(store.labels == REAL)
    if not len(reals):
        raise UserError(f"{store.path} has no real clips; pseudo-fakes are made of real ones")
    rng = np.random.default_rng(seed)
    rows = np.resize(rng.permutation(reals), clips)
    title = f"{store.path.name}: pseudo-fakes of real clips, seed {seed}"
    title = f"SYNTHETIC {title}" if store.is_synthetic else title
    draw_page(list(_blends(store, rows, rng)), path, title=title)


def _blends(store: Store, rows: npt.NDArray[np.int64], rng: np.random.Generator) -> Iterator[Blend]:
    for row, points in zip(rows, crop_points(store, rows), strict=True):
        frames = store.read([row])[0]
        fakes, mask = pseudo_fake(frames, points, rng)
        at = len(frames) // 2
        name = f"{store.splits[row]} {store.keys[row]}"
        yield Blend(name, frames[at, ..., :3], fakes[at, ..., :3], mask[at])
