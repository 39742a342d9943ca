"""DeepSpeak 1.1 and 2.0 (Barrington, Bohacek and Farid, 2024 and 2025).

Tables at the root name every video: ``annotations-real.csv`` and ``annotations-fake.csv``, and
``annotations-split-def.csv`` the split of every person. The videos can be in any folder. A fake of
1.1 is ``facefusion--10-11--4100-4897--0.mp4``: donor, target, and a recording of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data_prep.layouts.files import distinct, files, is_file, list_differences
from data_prep.layouts.kinds import is_video
from data_prep.layouts.layout import EXTRA, MISSING, DataSetIndex, Layout, Video
from data_prep.layouts.originals import add_originals
from data_prep.layouts.tables import Row, further_values, read_table
from data_prep.store.format import FAKE, REAL, SPLITS, Quarantined
from data_prep.text import printable

NAME = "DeepSpeak"
_TABLES = {"annotations-real.csv": REAL, "annotations-fake.csv": FAKE}
_SPLIT_TABLE = "annotations-split-def.csv"
_FILE = "video-file"
_USED = (_FILE, "identity", "identity-source", "identity-target", "engine", "recording-target")


def _detect(source: Path) -> bool:
    return all(is_file(source / name) for name in _TABLES)


def _read(source: Path) -> DataSetIndex:
    problems: list[Quarantined] = []
    splits = _read_splits(source / _SPLIT_TABLE, problems)
    there = {path.name: path for path in files(source, problems, recursive=True) if is_video(path)}
    named: list[tuple[Video, str | None]] = []
    listed: set[str] = set()
    for name, label in _TABLES.items():
        rows = read_table(source / name, (_FILE,))
        named += _videos(rows, label, there, splits)
        names = {_file_name(row) for row in rows}
        listed |= names
        problems += list_differences(source / name, MISSING, names - set(there))
    problems += list_differences(source, EXTRA, set(there) - listed)
    return DataSetIndex(NAME, NAME, distinct(add_originals(named)), tuple(problems))


def _file_name(row: Row) -> str:
    name = PurePosixPath(row.values[_FILE]).name
    return name if PurePosixPath(name).suffix else f"{name}.mp4"


def _videos(
    rows: list[Row], label: int, there: dict[str, Path], splits: dict[str, str]
) -> Iterator[tuple[Video, str | None]]:
    """Yield the listed videos that exist, each with the name of its original."""
    for row in rows:
        path = there.get(_file_name(row))
        if path is None:
            continue
        target, donor, recording = _people(row, path.stem)
        engine = row.values.get("engine", "") or re.split(r"-", path.stem)[0]
        method = "real" if label == REAL else printable(engine).replace("/", "_").casefold()
        people = tuple(dict.fromkeys(f"person {each}" for each in (target, donor) if each))
        video = Video(
            key=f"{NAME}/{method}/unknown/{printable(path.stem)}",
            path=path,
            label=label,
            method=method,
            quality="unknown",
            identities=people or (printable(path.stem),),
            split=splits.get(target),
            attributes=further_values(row, _USED),
        )
        yield video, path.stem if label == REAL else f"{target}-{recording}" if recording else None


def _people(row: Row, stem: str) -> tuple[str, str, str]:
    """Return the person on screen, the donor and the recording of the former; empty if unknown."""
    values = row.values
    named = re.fullmatch(r".+?--(\d+)-(\d+)--(\d+)-(\d+)(?:--.*)?", stem, flags=re.ASCII)
    donor, target, _, recording = named.groups() if named else ("", "", "", "")
    if values.get("identity"):
        return values["identity"], "", ""
    return (
        values.get("identity-target") or target or ("" if named else stem.partition("-")[0]),
        values.get("identity-source") or donor,
        values.get("recording-target") or recording,
    )


def _read_splits(path: Path, problems: list[Quarantined]) -> dict[str, str]:
    if not is_file(path):
        problems.append(Quarantined(str(path), "index", "it is missing: no official split"))
        return {}
    rows = (row.values for row in read_table(path, ("identity", "split")))
    return {row["identity"]: row["split"] for row in rows if row["split"] in SPLITS}


LAYOUT = Layout(NAME, "annotations-real.csv and annotations-fake.csv (DeepSpeak)", _detect, _read)
