"""Which videos a folder holds, and who is in them.

A data set is recognised by its folder layout; each layout is one module of
:mod:`data_prep.layouts` and one entry of :data:`LAYOUTS`.
"""

from __future__ import annotations

import os
from pathlib import Path

from data_prep.errors import UserError
from data_prep.layouts import (
    celeb_df,
    deeper_forensics,
    dfdc,
    dfdc_preview,
    face_forensics,
    folders,
    labels_table,
)
from data_prep.layouts.files import shown, subfolders
from data_prep.layouts.layout import DataSetIndex, Layout, Video

__all__ = ["AUTO", "LAYOUTS", "SYNTHETIC_MARKER", "DataSetIndex", "Layout", "Video", "index"]

# A data set that holds this file was made from nothing, and says so wherever its scores appear.
SYNTHETIC_MARKER = "SYNTHETIC.json"

AUTO = "auto"

# The first that recognises a folder reads it, so the more particular come first.
LAYOUTS = (
    labels_table.LAYOUT,
    deeper_forensics.LAYOUT,
    face_forensics.LAYOUT,
    celeb_df.LAYOUT,
    dfdc_preview.LAYOUT,
    dfdc.LAYOUT,
    folders.LAYOUT,
)


def index(source: Path, layout: str = AUTO) -> DataSetIndex:
    """List the videos of a data set.

    Args:
        source: the folder of the data set.
        layout: name of a layout, in any case, or ``auto`` for the first that fits.

    Raises:
        UserError: there is no such folder or no such layout, the folder does not have it, it
            holds no video, or a list of labels or splits in it is damaged.
    """
    source = source.absolute()
    candidates = _named(layout)
    if not source.exists():
        raise UserError(f"no data set at {shown(source)}: there is no such folder")
    if not source.is_dir():
        raise UserError(
            f"{shown(source)} is a file; expected a folder with {_expected(candidates)}"
        )
    try:
        fitting = next((layout for layout in candidates if layout.detect(source)), None)
        if fitting is None:
            lacks = "has no known layout"
            if len(candidates) == 1:
                lacks = f"does not have the layout {candidates[0].name}"
            raise UserError(
                f"{shown(source)} {lacks}: expected {_expected(candidates)}; found {_found(source)}"
            )
        found = fitting.read(source)
    except OSError as error:
        raise UserError(f"{shown(source)} cannot be read: {error.strerror}") from None
    if not found.videos:
        raise UserError(
            f"no video in {shown(source)}: it looks like {fitting.name}, but the folders for "
            f"videos are empty; expected {fitting.expected}"
        )
    return found


def _named(name: str) -> tuple[Layout, ...]:
    if name.casefold() == AUTO:
        return LAYOUTS
    named = tuple(layout for layout in LAYOUTS if layout.name.casefold() == name.casefold())
    if not named:
        known = ", ".join(layout.name for layout in LAYOUTS)
        raise UserError(f"layout must be {AUTO} or one of {known}; received {shown(name)}")
    return named


def _expected(layouts: tuple[Layout, ...]) -> str:
    return ", or ".join(layout.expected for layout in layouts)


def _found(source: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in source.iterdir())
    listed = ", ".join(shown(name) for name in names[:5])
    if len(names) > 5:
        listed += f" and {len(names) - 5} more"
    fitting = [layout.name for layout in LAYOUTS if layout.detect(source)]
    if fitting:
        return f"{listed}; it looks like {fitting[0]}"
    inside = [
        child
        for child in subfolders(source)
        if os.access(child, os.R_OK | os.X_OK) and any(layout.detect(child) for layout in LAYOUTS)
    ]
    hint = f"; did you mean {shown(inside[0])}?" if inside else ""
    return (listed or "nothing") + hint
