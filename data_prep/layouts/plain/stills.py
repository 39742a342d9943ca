"""Pictures in real/ and fake/: one picture is a clip of one frame."""

from __future__ import annotations

from pathlib import Path

from data_prep.layouts.kinds import is_picture
from data_prep.layouts.layout import Layout
from data_prep.layouts.plain.folders import find_labelled, holds_labels, read

NAME = "stills"


def _detect(source: Path) -> bool:
    return holds_labels(source) and any(is_picture(path) for path in find_labelled(source))


LAYOUT = Layout(
    NAME,
    "real/ and fake/ with pictures (stills)",
    _detect,
    lambda source: read(source, NAME, stills=True),
)
