"""A picture of pseudo-fakes of the real clips of a store."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from artifacts.run_directory import replace_file
from data_prep.errors import UserError
from data_prep.store.store import REAL, Store
from data_prep.text import visible
from search.samples.pseudo_fakes import crop_points, pseudo_fake
from search.samples.samples import MESH

COLUMNS = ("real", "pseudo-fake", "mask", "difference")
# Differences are multiplied by this factor and shown around middle grey.
AMPLIFIED = 4
_SIDE, _GAP, _LINE = 160, 6, 18
_ABREAST = 2
_INK, _PAPER = (30, 30, 30), (255, 255, 255)


@dataclasses.dataclass(frozen=True)
class Blend:
    """One frame of a clip and of its pseudo-fake.

    Attributes:
        name: Caption.
        real: uint8 (S, S, 3), RGB.
        fake: uint8 (S, S, 3), RGB.
        mask: float32 (S, S), 0..1, share of the blended copy in each pixel.
    """

    name: str
    real: npt.NDArray[np.uint8]
    fake: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.float32]


def draw_page(blends: Sequence[Blend], path: Path, *, title: str = "") -> None:
    """Write pseudo-fakes as a PNG, two in a row, four pictures each: :data:`COLUMNS`.

    The file is written under a temporary name and renamed.

    Args:
        blends: Pseudo-fakes to show.
        path: Path of the picture.
        title: Title of the page.

    Raises:
        UserError: The picture cannot be written.
    """
    font = ImageFont.load_default(size=12)
    width = len(COLUMNS) * _SIDE + 2 * _GAP
    height = _SIDE + _LINE + _GAP
    rows = -(-len(blends) // _ABREAST)
    top = 2 * _LINE + _GAP
    sheet = Image.new("RGB", (_ABREAST * width, top + rows * height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, _GAP // 2), visible(title), _INK, font)
    for number in range(_ABREAST * len(COLUMNS)):
        side, column = divmod(number, len(COLUMNS))
        name = COLUMNS[column] + (f" x {AMPLIFIED}" if COLUMNS[column] == "difference" else "")
        pen.text((_GAP + side * width + column * _SIDE, _LINE), name, _INK, font)
    for number, blend in enumerate(blends):
        row, side = divmod(number, _ABREAST)
        left, above = _GAP + side * width, top + row * height
        for column, picture in enumerate(_pictures(blend)):
            shown = Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
            sheet.paste(shown, (left + column * _SIDE, above))
        pen.text((left, above + _SIDE), visible(blend.name), _INK, font)
    try:
        with replace_file(path) as temporary:
            sheet.save(temporary, format="PNG")
    except OSError as error:
        raise UserError(
            f"the picture {path} cannot be written: {error.strerror}; name another: --picture PNG"
        ) from None


def _pictures(blend: Blend) -> tuple[npt.NDArray[np.uint8], ...]:
    """Return the four pictures of a blend in the order of :data:`COLUMNS`."""
    mask = np.repeat(np.round(255 * blend.mask[..., None]).clip(0, 255), 3, axis=2)
    apart = AMPLIFIED * (blend.fake.astype(np.int16) - blend.real) + 128
    return blend.real, blend.fake, mask.astype(np.uint8), apart.clip(0, 255).astype(np.uint8)


def draw_pseudo_fakes(store: Store, path: Path, *, clips: int = 12, seed: int = 0) -> None:
    """Write the middle frames of pseudo-fakes beside their real clips, as a PNG.

    Clips are chosen at random from the real clips of the training split, or from all real clips if
    it has none. If there are fewer than ``clips``, some appear again with another pseudo-fake.

    Args:
        store: Store, opened for reading.
        path: Path of the picture.
        clips: Number of pseudo-fakes.
        seed: Seed of the choice and of the pseudo-fakes.

    Raises:
        UserError: The store has no real clip, or the picture cannot be written.
    """
    reals = store.rows("train", REAL)
    if not len(reals):
        reals = np.flatnonzero(store.labels == REAL)
    if not len(reals):
        raise UserError(f"{store.path} has no real clips; pseudo-fakes are made of real clips")
    rng = np.random.default_rng(seed)
    rows = np.resize(rng.permutation(reals), clips)
    title = f"{store.path.name}: pseudo-fakes of real clips, seed {seed}"
    title = f"SYNTHETIC {title}" if store.is_synthetic else title
    draw_page(list(_blends(store, rows, rng)), path, title=title)


def _blends(store: Store, rows: npt.NDArray[np.int64], rng: np.random.Generator) -> Iterator[Blend]:
    for row, points in zip(rows, crop_points(store, rows), strict=True):
        frames = store.read([row])[0]
        mesh = store.read([row], MESH)[0] if MESH in store.modalities else None
        fakes, mask = pseudo_fake(frames, points, rng, mesh)
        middle = len(frames) // 2
        name = f"{store.splits[row]} {store.keys[row]}"
        yield Blend(name, frames[middle, ..., :3], fakes[middle, ..., :3], mask[middle])
