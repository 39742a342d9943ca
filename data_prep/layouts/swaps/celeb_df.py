"""Celeb-DF v1 and v2 (Li et al., 2020).

Reals are ``Celeb-real/id0_0000.mp4`` and, of people without a name, ``YouTube-real/00170.mp4``;
``Celeb-synthesis/id0_id1_0000.mp4`` is the video of id0 with the face of id1. Copies of the set
put ``videos/`` below and change the case of folders, so both are read.
"""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.errors import UserError
from data_prep.layouts.files import distinct, files, quote, subfolders
from data_prep.layouts.kinds import candidates
from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.layouts.originals import with_originals
from data_prep.store.format import FAKE, REAL, Quarantined
from data_prep.text import printable

NAME = "Celeb-DF"
_FOLDERS = {"celeb-real": REAL, "youtube-real": REAL, "celeb-synthesis": FAKE}
_UNNAMED = "youtube-real"
_FAKE_METHOD = "Celeb-synthesis"
_TEST_LIST = "list_of_testing_videos.txt"


def _detect(source: Path) -> bool:
    return any(folder.name.casefold() in _FOLDERS for folder in subfolders(source))


def _read(source: Path) -> DataSetIndex:
    tested = _read_test_list(source)
    problems: list[Quarantined] = []
    named: list[tuple[Video, str | None]] = []
    for folder in subfolders(source):
        kind = folder.name.casefold()
        if kind not in _FOLDERS:
            continue
        for path in candidates(files(folder, problems, recursive=True), folder, problems):
            label = _FOLDERS[kind]
            identities = _identities(path.stem, kind)
            if not identities:
                expected = "id0_id1_0000.mp4" if label == FAKE else "id0_0000.mp4"
                reason = f"no identity in the name; expected one such as {expected}"
                problems.append(Quarantined(str(path), "index", reason))
                continue
            method = _FAKE_METHOD if label == FAKE else "real"
            listed = tested.get((kind, path.name.casefold()))
            if listed is not None and listed != label:
                raise UserError(
                    f"{quote(source)}: the test list has {quote(path)} as {_word(listed)}, its "
                    f"folder as {_word(label)}; in the list 1 is real and 0 is fake; correct it"
                )
            video = Video(
                key=f"{NAME}/{method}/unknown/{printable(path.stem)}",
                path=path,
                label=label,
                method=method,
                quality="unknown",
                identities=identities,
                split=None if listed is None else "test",
            )
            named.append((video, None if kind == _UNNAMED else _original(path.stem)))
    return DataSetIndex(NAME, NAME, distinct(with_originals(named)), tuple(problems))


def _original(stem: str) -> str:
    """Name of the real that ``id0_id1_0000`` was made from, ``id0_0000``; a real's is its own."""
    parts = stem.casefold().split("_")
    return f"{parts[0]}_{parts[-1]}"


def _identities(stem: str, kind: str) -> tuple[str, ...]:
    """Return original and donor of a fake, the person of a real; empty without a name."""
    if kind == _UNNAMED:
        return (f"YouTube {printable(stem)}",)
    people = r"(id\d+)_(id\d+)_\d+" if _FOLDERS[kind] == FAKE else r"(id\d+)_\d+"
    named = re.fullmatch(people, stem.casefold(), flags=re.ASCII)
    return named.groups() if named else ()


def _word(label: int) -> str:
    return "fake" if label == FAKE else "real"


def _read_test_list(source: Path) -> dict[tuple[str, str], int]:
    """Read the labels of the official test list, by folder and file name in lower case.

    The list writes ``1 YouTube-real/00170.mp4``: 1 is real, 0 is fake.
    """
    lists = (child for child in sorted(source.iterdir()) if child.name.casefold() == _TEST_LIST)
    path = next((child for child in lists if child.is_file()), None)
    if path is None:
        return {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(
            f"test list {quote(path)} is damaged: {quote(str(error))}; replace it or remove it"
        ) from None
    listed = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        entry = re.fullmatch(r"([01])\s+([^/]+)/(?:videos/)?([^/]+)", line.strip().casefold())
        if not entry or entry[2] not in _FOLDERS:
            raise UserError(
                f"test list {quote(path)} is damaged: line {number} is {quote(line)!r}, expected "
                "one such as '1 YouTube-real/00170.mp4'; replace it or remove it"
            )
        listed[entry[2], entry[3]] = REAL if entry[1] == "1" else FAKE
    return listed


LAYOUT = Layout(
    NAME,
    "Celeb-real/, YouTube-real/ and Celeb-synthesis/ (Celeb-DF)",
    _detect,
    _read,
)
