"""DeepFake Detection Challenge (Dolhansky et al., 2020).

Folders ``dfdc_train_part_N`` or the data set's root hold videos and a ``metadata.json``:
``{"x.mp4": {"label": "FAKE", "split": "train", "original": "y.mp4"}}``. The test set has a table
``labels.csv`` with the columns filename and label, in which 1 is fake. Neither names the people of
a video; the parts were recorded with different people, so a part is one identity group.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from data_prep.errors import UserError
from data_prep.layouts.files import distinct, files, list_differences, quote, subfolders
from data_prep.layouts.frames import frames_of
from data_prep.layouts.kinds import is_picture, is_video, one_kind, only_pictures
from data_prep.layouts.layout import EXTRA, MISSING, DataSetIndex, Layout, Video
from data_prep.layouts.originals import add_originals
from data_prep.layouts.tables import columns, is_labelled_json, read_json, read_label, read_table
from data_prep.store.format import FAKE, SPLITS, Quarantined
from data_prep.text import printable

NAME = "DFDC"
_METADATA, _LABELS = "metadata.json", "labels.csv"
# Folders of unpacked archives often lie one below the other.
_DEPTH = 2
# The split most projects use; the data set itself names none of the training parts.
_FIRST_VAL, _FIRST_TEST = 35, 40


@dataclasses.dataclass(frozen=True)
class _Listed:
    """One entry of a metadata file or table of labels."""

    name: str
    label: int | None
    word: str
    original: str | None = None


def _detect(source: Path) -> bool:
    return any(True for _ in _label_files(source))


def _label_files(source: Path) -> Iterator[Path]:
    """Yield metadata files and tables of labels; a table replaces the metadata of its folder."""
    level = [source]
    for depth in range(_DEPTH + 1):
        for folder in level:
            table, metadata = folder / _LABELS, folder / _METADATA
            if {"filename", "label"} <= set(columns(table)):
                yield table
            elif metadata.is_file() and (
                _part(folder) is not None or (depth < _DEPTH and is_labelled_json(metadata))
            ):
                yield metadata
        level = [child for folder in level for child in subfolders(folder)]


def _part(folder: Path) -> int | None:
    named = re.fullmatch(r"dfdc_train_part_(\d+)", folder.name.casefold(), flags=re.ASCII)
    return int(named[1]) if named else None


def _read(source: Path) -> DataSetIndex:
    problems: list[Quarantined] = []
    named: list[tuple[Video, Path | None]] = []
    splits = {path: _split(path) for path in _label_files(source)}
    # Part numbers alone, without parts of every split, are no split.
    numbered = set(splits.values()) >= set(SPLITS)
    for path, split in splits.items():
        tested = path.name == _LABELS
        entries = _read_labels(path) if tested else _read_metadata(path)
        named += _videos(path, entries, split if numbered or tested else None, problems)
    kept, stills = one_kind([video for video, _ in named], source, problems)
    originals = {video.path: original for video, original in named}
    videos = add_originals((video, originals[video.path]) for video in kept)
    return DataSetIndex(NAME, NAME, distinct(videos), tuple(problems), stills)


def _split(path: Path) -> str | None:
    part = _part(path.parent)
    if path.name == _LABELS:
        return "test"
    if part is None:
        return None
    return "train" if part < _FIRST_VAL else "val" if part < _FIRST_TEST else "test"


def _read_metadata(path: Path) -> list[_Listed]:
    try:
        entries = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{quote(path)} is damaged: {quote(str(error))}; replace it") from None
    valid = isinstance(entries, dict) and all(
        isinstance(entry, dict) and isinstance(entry.get("original"), str | None)
        for entry in entries.values()
    )
    if not valid:
        raise UserError(
            f'{quote(path)} is damaged: expected entries such as {{"x.mp4": {{"label": "FAKE", '
            '"original": "y.mp4"}}; replace it'
        )
    return [
        _Listed(name, read_label(word), word, entry.get("original"))
        for name, entry in entries.items()
        for word in (str(entry.get("label", "")),)
    ]


def _read_labels(path: Path) -> list[_Listed]:
    rows = read_table(path, ("filename", "label"))
    return [
        _Listed(row.values["filename"], read_label(row.values["label"]), row.values["label"])
        for row in rows
    ]


def _videos(
    source: Path, entries: list[_Listed], split: str | None, problems: list[Quarantined]
) -> Iterator[tuple[Video, Path | None]]:
    """Yield the listed videos that exist, and their originals."""
    part = _part(source.parent)
    beside = {path.name: path for path in files(source.parent, problems, recursive=False)}
    absent = []
    for entry in entries:
        path = beside.pop(entry.name, None) or _frames(source.parent, entry.name)
        if path is None:
            absent.append(entry.name)
        elif entry.label is None:
            reason = f"its label in {source.name} is {quote(entry.word)!r}, not REAL or FAKE"
            problems.append(Quarantined(str(path), "index", reason))
        else:
            method = "fake" if entry.label == FAKE else "real"
            person = PurePath(entry.original or entry.name).stem
            identities = (printable(person),) + (() if part is None else (f"part {part}",))
            key = f"{NAME}/{method}/unknown/{printable(path.stem)}"
            video = Video(key, path, entry.label, method, "unknown", identities, split)
            original = entry.original if entry.label == FAKE else entry.name
            yield video, source.parent / original if original else None
    listed = [PurePath(entry.name) for entry in entries]
    kind, wanted = ("pictures", is_picture) if only_pictures(listed) else ("videos", is_video)
    unlisted = [name for name, path in beside.items() if wanted(path)]
    problems += list_differences(source, MISSING, absent, kind)
    problems += list_differences(source, EXTRA, unlisted, kind)


def _frames(folder: Path, name: str) -> Path | None:
    return frames_of(folder, PurePath(PurePath(name).name))


LAYOUT = Layout(
    NAME,
    "dfdc_train_part_N/metadata.json or metadata.json, or labels.csv with filename,label (DFDC)",
    _detect,
    _read,
)
