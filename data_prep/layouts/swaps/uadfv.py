"""UADFV (Yang, Li and Lyu, 2019): 49 videos, each with one swap.

``fake/0000_fake.mp4`` was made from ``real/0000.mp4``. A folder with any other name in it is read
by the rules of plain folders.
"""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.layouts.files import distinct, files
from data_prep.layouts.frames import frame_folders, videos_in
from data_prep.layouts.kinds import is_video
from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.layouts.originals import add_originals
from data_prep.store.format import FAKE, REAL, Quarantined

NAME = "UADFV"
_NAMES = {"real": r"(\d{4})", "fake": r"(\d{4})_fake"}


def _detect(source: Path) -> bool:
    return all(_fits(source / folder, pattern) for folder, pattern in _NAMES.items())


def _fits(folder: Path, pattern: str) -> bool:
    """Return whether a folder has videos, or frames of videos, and all are named as expected."""
    if not folder.is_dir():
        return False
    videos = [path.stem for path in files(folder, [], recursive=True) if is_video(path)]
    names = videos or [path.name for path in frame_folders(folder, [])]
    return bool(names) and all(re.fullmatch(pattern, name, flags=re.ASCII) for name in names)


def _read(source: Path) -> DataSetIndex:
    problems: list[Quarantined] = []
    named: list[tuple[Video, str]] = []
    for word, label in (("real", REAL), ("fake", FAKE)):
        for path in videos_in(source / word, problems):
            number = path.stem.removesuffix("_fake")
            key = f"{NAME}/{word}/unknown/{path.stem}"
            named.append((Video(key, path, label, word, "unknown", (number,)), number))
    return DataSetIndex(NAME, NAME, distinct(add_originals(named)), tuple(problems))


LAYOUT = Layout(NAME, "real/0000.mp4 and fake/0000_fake.mp4 (UADFV)", _detect, _read)
