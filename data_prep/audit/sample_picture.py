"""One picture of a store: sample crops of the reals and of every method."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from data_prep.errors import UserError
from data_prep.store.store import FAKE, REAL, Store
from data_prep.text import visible

COLUMNS = 8
_MOST_ROWS = 24
_SIDE, _GAP, _LINE = 128, 8, 18
_LEFT = 150
_LONGEST = 100
_INK, _PAPER = (30, 30, 30), (255, 255, 255)


def draw_samples(store: Store, path: Path, *, seed: int = 0) -> None:
    """Draw the middle frame of a few clips a row: reals first, then each method, as a PNG.

    Crops are drawn by chance, at most :data:`COLUMNS` a row, with the split and the end of the
    key below. The file is written under a temporary name and renamed.

    Args:
        store: opened for reading.
        path: the picture.
        seed: seed of the choice.

    Raises:
        UserError: the picture cannot be written.
    """
    kinds = [(label, str(method)) for label in (REAL, FAKE) for method in _methods(store, label)]
    shown, hidden = kinds[:_MOST_ROWS], kinds[_MOST_ROWS:]
    font = ImageFont.load_default(size=12)
    width = _LEFT + COLUMNS * (_SIDE + _GAP)
    row_height = _SIDE + _LINE + _GAP
    title = f"{store.path.name}: {len(store)} clips, fingerprint {store.fingerprint[:12]}"
    title = f"SYNTHETIC {title}" if store.is_synthetic else title
    if hidden:
        title += f"; {len(hidden)} more methods are not shown"
    sheet = Image.new("RGB", (width, _LINE + _GAP + len(shown) * row_height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, _GAP // 2), visible(title), _INK, font)
    rng = np.random.default_rng(seed)
    for number, (label, method) in enumerate(shown):
        top = _LINE + _GAP + number * row_height
        rows = np.flatnonzero((store.labels == label) & (store.methods == method))
        name = f"fake\n{_fitting(pen, font, method, _LEFT - 2 * _GAP)}" if label == FAKE else "real"
        pen.text((_GAP, top), f"{name}\n{len(rows)} clips", _INK, font)
        chosen = np.sort(rng.permutation(rows)[:COLUMNS])
        for column, row in enumerate(chosen):
            left = _LEFT + column * (_SIDE + _GAP)
            sheet.paste(Image.fromarray(_middle(store, int(row))), (left, top))
            caption = f"{store.splits[row]} {str(store.keys[row]).rsplit('/', 1)[-1]}"
            pen.text((left, top + _SIDE), _fitting(pen, font, caption, _SIDE), _INK, font)
    _save(sheet, path)


def _methods(store: Store, label: int) -> npt.NDArray[np.str_]:
    return np.unique(store.methods[store.labels == label])


def _middle(store: Store, row: int) -> npt.NDArray[np.uint8]:
    """Return the middle frame of a clip, uint8 (128, 128, 3)."""
    clip = store.read([row])[0]
    frame = Image.fromarray(clip[len(clip) // 2, ..., :3])
    return np.asarray(frame.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))


def _fitting(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    text: str,
    width: int,
) -> str:
    """Return a text in one line, shortened in its middle to the width of a cell."""
    text = visible(text)
    # The time grows with the square of the length.
    text = text if len(text) <= 2 * _LONGEST else text[:_LONGEST] + text[-_LONGEST:]
    kept = len(text)
    shown = text
    while pen.textlength(shown, font) > width and kept > 2:
        kept -= 1
        shown = f"{text[: kept // 2]}..{text[len(text) - (kept - kept // 2) :]}"
    return shown


def _save(sheet: Image.Image, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        sheet.save(temporary, format="PNG")
        temporary.replace(path)
    except OSError as error:
        raise UserError(
            f"the picture {path} cannot be written: {error.strerror}; name another: --picture PNG"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
