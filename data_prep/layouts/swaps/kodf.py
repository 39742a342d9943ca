"""KoDF (Kwon et al., 2021): Korean subjects in five folders of methods.

A real is ``<person>_001.mp4``, a fake ``<target>_<source>_2_0001.mp4`` with the number of a method.
The folders differ between the two distributions. A person is 20 hexadecimal digits or six decimal
ones. The tables of AI-Hub name originals and splits.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data_prep.layouts.files import distinct, files, subfolders
from data_prep.layouts.kinds import candidates
from data_prep.layouts.layout import MISLABELLED, DataSetIndex, Difference, Layout, Video
from data_prep.layouts.originals import add_originals
from data_prep.layouts.tables import columns, read_table
from data_prep.store.format import FAKE, REAL, Quarantined
from data_prep.text import printable

NAME = "KoDF"
_METHODS = {"1": "dfl", "2": "dffs", "3": "fsgan", "4": "fo", "5": "audio-driven"}
_PERSON = r"(?:[0-9a-f]{20}|\d{6})"
_REAL_NAME = re.compile(rf"({_PERSON})_\d+", flags=re.ASCII)
_FAKE_NAME = re.compile(rf"({_PERSON})_({_PERSON})_([1-5])_\d+", flags=re.ASCII)
_DEPTH = 5
# Columns of AI-Hub: video, target video, method, sex of the person.
_VIDEO, _TARGET, _MODEL, _SEX = "영상id", "타겟영상", "변조모델", "인물성별"
_DISAGREE = "its name and its table disagree whether it is real"
_SPLITS = {"training": "train", "validation": "val", "test": "test"}


@dataclasses.dataclass(frozen=True)
class _Row:
    label: int
    method: str
    original: str
    sex: str
    split: str | None


def _detect(source: Path) -> bool:
    return len(_method_folders(source, _DEPTH)) >= 2 or any(True for _ in _tables(source, _DEPTH))


def _method_folders(folder: Path, depth: int) -> set[str]:
    found = set()
    for child in subfolders(folder):
        name = child.name.casefold().replace("_", "-")
        if name in _METHODS.values():
            found.add(name)
        elif depth > 1:
            found |= _method_folders(child, depth - 1)
    return found


def _tables(folder: Path, depth: int) -> Iterator[Path]:
    for path in files(folder, [], recursive=False):
        if path.suffix.casefold() == ".csv" and _VIDEO in columns(path):
            yield path
    for child in subfolders(folder) if depth > 1 else ():
        yield from _tables(child, depth - 1)


def _read(source: Path) -> DataSetIndex:
    problems: list[Quarantined] = []
    rows = {name: row for path in _tables(source, _DEPTH) for name, row in _rows(path)}
    named: list[tuple[Video, str | None]] = []
    for path in candidates(files(source, problems, recursive=True), source, problems):
        found = _video(path, rows.get(path.name.casefold()) or rows.get(path.stem.casefold()))
        if found == _DISAGREE:
            problems.append(Difference(str(path), "index", found, MISLABELLED, (path.name,)))
        elif isinstance(found, str):
            problems.append(Quarantined(str(path), "index", found))
        else:
            named.append(found)
    return DataSetIndex(NAME, NAME, distinct(add_originals(named)), tuple(problems))


def _rows(path: Path) -> Iterator[tuple[str, _Row]]:
    """Yield the rows of a table by name of the video; a table of fakes has a target video."""
    is_fake = _TARGET in columns(path)
    words = re.split(r"[\W_]+", path.stem.casefold())
    split = next((_SPLITS[word] for word in words if word in _SPLITS), None)
    for row in read_table(path, (_VIDEO,)):
        values = row.values
        method = printable(values.get(_MODEL, "")).replace("/", "_") or "fake"
        original = PurePosixPath(values.get(_TARGET, "")).stem.casefold()
        found = _Row(FAKE if is_fake else REAL, method, original, values.get(_SEX, ""), split)
        yield values[_VIDEO].casefold(), found


def _video(path: Path, row: _Row | None) -> tuple[Video, str | None] | str:
    """Return a video and the name of its original, or why it cannot be used."""
    stem = path.stem.casefold()
    fake, real = _FAKE_NAME.fullmatch(stem), _REAL_NAME.fullmatch(stem)
    if not (fake or real or row):
        return "no person in the name, and it is in no table"
    label = row.label if row else FAKE if fake else REAL
    if (fake and label == REAL) or (real and label == FAKE):
        return _DISAGREE
    method = "real"
    if label == FAKE:
        method = _METHODS[fake[3]] if fake else row.method if row else "fake"
    original = (row.original or None) if row and label == FAKE else None if fake else stem
    people: tuple[str, ...] = (fake[1], fake[2]) if fake else (real[1],) if real else ()
    video = Video(
        key=f"{NAME}/{method}/unknown/{printable(path.stem)}",
        path=path,
        label=label,
        method=method,
        quality="unknown",
        identities=people or (printable(original or stem),),
        split=row.split if row else None,
        attributes={"sex": printable(row.sex)} if row and row.sex else {},
    )
    return video, original


LAYOUT = Layout(
    NAME, "fsgan/, dfl/ and other methods of KoDF, or its tables (KoDF)", _detect, _read
)
