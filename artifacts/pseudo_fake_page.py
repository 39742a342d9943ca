"""A page of pseudo-fakes for people: real, pseudo-fake, mask and what differs, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from artifacts.run_directory import replacing
from data_prep.errors import UserError

COLUMNS = ("real", "pseudo-fake", "mask", "difference")
# Differences are shown so many times as large, about middle grey.
AMPLIFIED = 4
_SIDE, _GAP, _LINE = 160, 6, 18
_ABREAST = 2
_INK, _PAPER = (30, 30, 30), (255, 255, 255)


@dataclasses.dataclass(frozen=True)
class Blend:
    """One frame of a clip and of a pseudo-fake of it.

    Attributes:
        name: what is written below.
        real: uint8 (S, S, 3), RGB.
        fake: uint8 (S, S, 3), RGB.
        mask: float32 (S, S), 0..1, how much was blended in.
    """

    name: str
    real: npt.NDArray[np.uint8]
    fake: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.float32]


def draw_page(blends: Sequence[Blend], path: Path, *, title: str = "") -> None:
    """Draw pseudo-fakes as a PNG, two in a row, four pictures each: :data:`COLUMNS`.

    The file is written under a temporary name and renamed.

    Args:
        blends: what is shown.
        path: the picture.
        title: written above.

    Raises:
        UserError: the picture cannot be written.
    """
    font = ImageFont.load_default(size=12)
    width = len(COLUMNS) * _SIDE + 2 * _GAP
    height = _SIDE + _LINE + _GAP
    rows = -(-len(blends) // _ABREAST)
    top = 2 * _LINE + _GAP
    sheet = Image.new("RGB", (_ABREAST * width, top + rows * height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, _GAP // 2), title, _INK, font)
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
        pen.text((left, above + _SIDE), blend.name, _INK, font)
    try:
        with replacing(path) as temporary:
            sheet.save(temporary, format="PNG")
    except OSError as error:
        raise UserError(
            f"the picture {path} cannot be written: {error.strerror}; name another: -o PNG"
        ) from None


def _pictures(blend: Blend) -> tuple[npt.NDArray[np.uint8], ...]:
    """The four pictures of a blend in the order of :data:`COLUMNS`."""
    mask = np.repeat(np.round(255 * blend.mask[..., None]).clip(0, 255), 3, axis=2)
    apart = AMPLIFIED * (blend.fake.astype(np.int16) - blend.real) + 128
    return blend.real, blend.fake, mask.astype(np.uint8), apart.clip(0, 255).astype(np.uint8)
