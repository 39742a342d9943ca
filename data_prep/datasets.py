"""Recognition of data sets: the videos in a folder and the people in them.

A data set is recognised by its folder layout. Each layout is one module of :mod:`data_prep.layouts`
and one entry of :data:`LAYOUTS`, or comes from another installed package
(:mod:`data_prep.layouts.plugin_layouts`).
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from data_prep import plugins
from data_prep.errors import UserError
from data_prep.layouts import plugin_layouts
from data_prep.layouts.audio_visual import (
    deep_speak,
    fake_av_celeb,
    lav_df,
    polyglot_fake,
)
from data_prep.layouts.files import count_copies, quote, subfolders
from data_prep.layouts.frame_sets import deepfake_bench, df40, wild_deepfake
from data_prep.layouts.layout import DataSetIndex, Difference, Layout, Video
from data_prep.layouts.plain import folders, labels_table, one_label, stills
from data_prep.layouts.swaps import (
    celeb_df,
    deeper_forensics,
    deepfake_timit,
    dfdc,
    dfdc_preview,
    dfdm,
    face_forensics,
    ffiw,
    kodf,
    uadfv,
)
from data_prep.store.format import Quarantined

__all__ = ["AUTO", "LAYOUTS", "SYNTHETIC_MARKER", "DataSetIndex", "Layout", "Video"]
__all__ += ["compare", "index"]

# A data set that holds this file is synthetic; every page with its scores states it.
SYNTHETIC_MARKER = "SYNTHETIC.json"

AUTO = "auto"

# In a folder that is none of the others, a label for all files is all that is known of them.
_PLAIN = frozenset({folders.NAME, stills.NAME})

# The first that recognises a folder reads it, so the more particular come first.
LAYOUTS = (
    labels_table.LAYOUT,
    deepfake_bench.LAYOUT,
    df40.LAYOUT,
    wild_deepfake.LAYOUT,
    fake_av_celeb.LAYOUT,
    deep_speak.LAYOUT,
    polyglot_fake.LAYOUT,
    lav_df.LAYOUT,
    lav_df.MILLION_LAYOUT,
    deeper_forensics.LAYOUT,
    face_forensics.LAYOUT,
    dfdm.LAYOUT,
    celeb_df.PLUS_LAYOUT,
    celeb_df.LAYOUT,
    dfdc_preview.LAYOUT,
    dfdc.LAYOUT,
    ffiw.LAYOUT,
    deepfake_timit.LAYOUT,
    kodf.LAYOUT,
    uadfv.LAYOUT,
    folders.LAYOUT,
    stills.LAYOUT,
)


def index(source: Path, layout: str = AUTO, label: int | None = None) -> DataSetIndex:
    """List the videos of a data set.

    With a label, a folder of no data set is read whole. Every video in it, or every picture if it
    holds no video, has that label.

    Args:
        source: the folder of the data set.
        layout: name of a layout, in any case, or ``auto`` for the first that fits.
        label: 0 if all is real, 1 if all is fake, None if the data set labels its files.

    Raises:
        UserError: the folder or the layout does not exist, the folder has another layout or no
            video, a list of labels or splits is damaged, the data set contradicts the label, or a
            layout of another package fails.
    """
    source = source.absolute()
    candidates = _named(layout)
    try:
        if not source.exists():
            raise UserError(f"no data set at {quote(source)}: the folder does not exist")
        if not source.is_dir():
            raise UserError(
                f"{quote(source)} is a file; expected a folder of labelled videos or pictures"
            )
        fitting = next((layout for layout in candidates if layout.detect(source)), None)
        if label is not None and len(candidates) > 1 and _is_plain(fitting):
            found = one_label.read(source, label)
        elif fitting is not None:
            found = fitting.read(source)
        else:
            raise UserError(_unfitting(source, candidates))
        found = dataclasses.replace(
            found,
            problems=tuple(map(_as_quarantined, (*found.problems, *count_copies(source)))),
            differences=tuple(each for each in found.problems if isinstance(each, Difference)),
        )
    except OSError as error:
        raise UserError(f"{quote(source)} cannot be read: {error.strerror}") from None
    if not found.videos:
        raise UserError(_nothing(source, found, fitting))
    if label is not None and any(video.label != label for video in found.videos):
        raise UserError(
            f"{quote(source)} has the layout {found.layout} with videos of both labels; name a "
            "folder of one label, or leave the label out"
        )
    return found


def compare(source: Path, found: DataSetIndex) -> tuple[Difference, ...]:
    """Return the differences to official lists that do not matter to a preparation.

    Args:
        source: the folder of the data set.
        found: its index.
    """
    layout = next((layout for layout in LAYOUTS if layout.name == found.layout), None)
    if layout is None or layout.compare is None:
        return ()
    return tuple(layout.compare(source.absolute(), found))


def _as_quarantined(problem: Quarantined) -> Quarantined:
    return Quarantined(problem.path, problem.step, problem.reason)


def _is_plain(fitting: Layout | None) -> bool:
    return fitting is None or fitting.name in _PLAIN


def _unfitting(source: Path, candidates: tuple[Layout, ...]) -> str:
    """Return the error message for a folder that fits no layout."""
    if len(candidates) == 1:
        lacks = f"does not have the layout {candidates[0].name}"
        expected = candidates[0].expected
    else:
        lacks = "has no known layout"
        expected = (
            "the folders real/ and fake/, a labels.csv with the columns path,label, or a layout of "
            "docs/data.md; for a folder of one label, pass --label real or fake"
        )
    return f"{quote(source)} {lacks}: expected {expected}; found {_found(source)}"


def _nothing(source: Path, found: DataSetIndex, fitting: Layout | None) -> str:
    """Return the error message for a folder without anything to prepare."""
    message = f"no video in {quote(source)}"
    refused = [
        one for one in found.problems if one.path.startswith(f"{source / labels_table.NAME}:")
    ]
    if refused:
        message = f"no usable row in {quote(source / labels_table.NAME)}"
    elif fitting is not None:
        message += (
            f": it looks like {fitting.name}, but the folders for videos are empty; "
            f"expected {fitting.expected}"
        )
    if found.problems:
        first = found.problems[0]
        more = f" and {len(found.problems) - 1} more" if len(found.problems) > 1 else ""
        message += f"; {quote(first.path)}: {first.reason}{more}"
    return message


def _named(name: str) -> tuple[Layout, ...]:
    """Return the layouts that may read a folder, those of other packages first.

    Those are more specific. A layout of another package is imported if it is named, or if any
    layout may fit.
    """
    built_in = [layout.name for layout in LAYOUTS]
    others = plugins.find_plugins(plugins.LAYOUTS, [*built_in, AUTO])
    if name.casefold() == AUTO:
        return (*map(plugin_layouts.layout, others.values()), *LAYOUTS)
    for layout in LAYOUTS:
        if layout.name.casefold() == name.casefold():
            return (layout,)
    for other in others.values():
        if other.name.casefold() == name.casefold():
            return (plugin_layouts.layout(other),)
    known = ", ".join([*built_in, *others])
    raise UserError(f"layout must be {AUTO} or one of {known}; received {quote(name)}")


def _found(source: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in source.iterdir())
    listed = ", ".join(quote(name) for name in names[:5])
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
    hint = f"; did you mean {quote(inside[0])}?" if inside else ""
    return (listed or "nothing") + hint
