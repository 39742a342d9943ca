"""FakeAVCeleb (Khalid et al., 2021): four categories of real and fake picture and sound.

Videos are ``FakeVideo-RealAudio/African/men/id00076/00109_3.mp4``: category, race, gender and
person. ``meta_data.csv`` names the method of each and the person whose face or voice it has.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.layouts.audio_visual.modified import MODIFIED, PARTS, category_name
from data_prep.layouts.files import distinct, is_file, list_differences, quote, subfolders
from data_prep.layouts.frames import videos_in
from data_prep.layouts.layout import EXTRA, MISSING, DataSetIndex, Difference, Layout, Video
from data_prep.layouts.originals import add_originals
from data_prep.layouts.tables import read_table
from data_prep.store.format import FAKE, REAL, Quarantined
from data_prep.text import printable

NAME = "FakeAVCeleb"
_CATEGORIES = {category_name(*parts).casefold(): parts for parts in PARTS}
_TABLE = "meta_data.csv"
_DEPTH = 4
# Lip sync and voice cloning take no face of their donor.
_VOICE_ONLY = frozenset({"wav2lip", "rtvc"})


@dataclasses.dataclass(frozen=True)
class _Row:
    method: str
    donor: str


def _root(source: Path) -> Path:
    """Return the folder of the categories: the source, or the only such folder in it."""
    inside = [child for child in subfolders(source) if _holds_categories(child)]
    return source if _holds_categories(source) or len(inside) != 1 else inside[0]


def _holds_categories(folder: Path) -> bool:
    return sum(child.name.casefold() in _CATEGORIES for child in subfolders(folder)) >= 2


def _detect(source: Path) -> bool:
    return _holds_categories(_root(source))


def _read(source: Path) -> DataSetIndex:
    root = _root(source)
    problems: list[Quarantined] = []
    table = _read_table(root / _TABLE, problems)
    named: list[tuple[Video, tuple[str, str]]] = []
    for folder in subfolders(root):
        if folder.name.casefold() in _CATEGORIES:
            named += _videos(folder, table, problems)
    return DataSetIndex(NAME, NAME, distinct(add_originals(named)), tuple(problems))


def _videos(
    category: Path, table: dict[tuple[str, ...], _Row], problems: list[Quarantined]
) -> Iterator[tuple[Video, tuple[str, str]]]:
    """Yield the videos of a category, each with person and clip of its original."""
    parts = _CATEGORIES[category.name.casefold()]
    label = FAKE if any(parts) else REAL
    for path in videos_in(category, problems):
        below = path.relative_to(category).parts[:-1]
        if len(below) < 3:
            reason = "expected below <category>/<race>/<gender>/<person>/"
            problems.append(Quarantined(str(path), "index", reason))
            continue
        race, gender, person = map(printable, below[:3])
        where = (category.name, race, gender, person, path.name)
        row = table.get(tuple(part.casefold() for part in where))
        method = (row.method if row else category.name) if label == FAKE else "real"
        video = Video(
            key=f"{NAME}/{method}/unknown/{category.name}/{person}/{printable(path.stem)}",
            path=path,
            label=label,
            method=method,
            quality="unknown",
            identities=_people(person, path.stem, row),
            attributes={"race": race, "gender": gender, MODIFIED: PARTS[parts]},
        )
        yield video, (person, path.stem.partition("_")[0])


def _people(person: str, stem: str, row: _Row | None) -> tuple[str, ...]:
    """Return the person, and the donor of the face; without a row, everyone in the name."""
    donors = [row.donor] if row else re.findall(r"id\d{5}", stem, flags=re.ASCII)
    if row and row.method.casefold() in _VOICE_ONLY:
        donors = []
    return tuple(dict.fromkeys((person, *(donor for donor in donors if donor))))


def _read_table(path: Path, problems: list[Quarantined]) -> dict[tuple[str, ...], _Row]:
    """Return the rows by category, race, gender, person and file name, in lower case."""
    if not is_file(path):
        reason = "it is missing: methods are categories, and donors are read from names"
        problems.append(Quarantined(str(path), "index", reason))
        return {}
    where = ("type", "race", "gender", "source", "path")
    rows = {}
    for row in read_table(path, (*where, "method", "target1")):
        donor = row.values["target1"]
        method = printable(row.values["method"]).replace("/", "_")
        if not method or (method.casefold() == "real") != (row.values["type"].casefold() == _REAL):
            reason = f"the method {quote(method)!r} does not go with the type"
            problems.append(Quarantined(f"{path}:{row.line}", "index", reason))
            continue
        rows[tuple(row.values[name].casefold() for name in where)] = _Row(
            method, printable(donor) if donor.startswith("id") else ""
        )
    return rows


def _compare(source: Path, found: DataSetIndex) -> Sequence[Difference]:
    """Return the differences between the table and the folder."""
    root = _root(source)
    listed = {
        "/".join((category, race, gender, person, name))
        for category, race, gender, person, name in _read_table(root / _TABLE, [])
    }
    there = {video.path.relative_to(root).as_posix().casefold() for video in found.videos}
    table = root / _TABLE
    if not listed:
        return []
    return [
        *list_differences(table, MISSING, listed - there),
        *list_differences(table, EXTRA, there - listed),
    ]


_REAL = category_name(video=False, audio=False).casefold()

LAYOUT = Layout(
    NAME, "RealVideo-RealAudio/ and FakeVideo-FakeAudio/ (FakeAVCeleb)", _detect, _read, _compare
)
