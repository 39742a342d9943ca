"""FFIW-10K (Zhou et al., 2021): videos of several people, one of them swapped.

Reals are ``source/train/00000000.mp4``, fakes ``target/train/00000000.mp4``, and the masks of these
``target_mask/``. No people are named. A real and a fake of one name count as one person, because
the data set does not state how they belong together.
"""

from __future__ import annotations

from pathlib import Path

from data_prep.layouts.files import distinct, subfolders
from data_prep.layouts.frames import videos_in
from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.store.format import FAKE, REAL, SPLITS, Quarantined
from data_prep.text import printable

NAME = "FFIW-10K"
_FOLDERS = {"source": REAL, "target": FAKE}


def _detect(source: Path) -> bool:
    return all(
        any(child.name in SPLITS for child in subfolders(source / name)) for name in _FOLDERS
    )


def _read(source: Path) -> DataSetIndex:
    problems: list[Quarantined] = []
    videos = []
    for name, label in _FOLDERS.items():
        for folder in subfolders(source / name):
            if folder.name not in SPLITS:
                reason = f"expected one of {', '.join(SPLITS)}"
                problems.append(Quarantined(str(folder), "index", reason))
                continue
            for path in videos_in(folder, problems):
                word, stem = "real" if label == REAL else "fake", printable(path.stem)
                # Some copies begin the name with the split.
                number = stem.removeprefix(f"{folder.name}_")
                person = f"{folder.name} {number}"
                key = f"{NAME}/{word}/unknown/{folder.name}/{number}"
                video = Video(key, path, label, word, "unknown", (person,), folder.name)
                videos.append(video)
    return DataSetIndex(NAME, NAME, distinct(videos), tuple(problems))


LAYOUT = Layout(NAME, "source/train/ and target/train/ (FFIW-10K)", _detect, _read)
