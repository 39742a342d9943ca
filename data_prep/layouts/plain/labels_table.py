"""Any folder with a table ``labels.csv`` of the label of each video.

Columns: path and label (real or 0, fake or 1), and where known method, identity, split and
original. Further columns are attributes of the clip. The names of folders do not matter.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from data_prep.layouts.files import differences, distinct, is_clip, listed_path, quote
from data_prep.layouts.kinds import one_kind
from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.layouts.originals import add_originals
from data_prep.layouts.plain.people import Location, people
from data_prep.layouts.tables import Row, columns, further_values, read_label, read_table
from data_prep.store.format import FAKE, REAL, SPLITS, Quarantined
from data_prep.text import enumerate_first, printable

NAME = "labels.csv"
_COLUMNS = ("path", "label", "method", "identity", "split", "original")
# Between the people of one video: the target, then the donor.
_BETWEEN_PEOPLE = ";"


@dataclasses.dataclass(frozen=True)
class _Entry:
    """A row that can be used; no people and no original where the table names none."""

    line: int
    below: PurePath
    label: int
    method: str
    people: tuple[str, ...]
    split: str | None
    original: PurePath | None
    # Two rows that differ only here are no contradiction.
    attributes: dict[str, str] = dataclasses.field(compare=False)

    def same(self, other: _Entry) -> bool:
        """Return whether two rows have equal values."""
        return dataclasses.replace(self, line=other.line) == other


def _detect(source: Path) -> bool:
    path = source / NAME
    if not path.is_file():
        return False
    found = columns(path)
    # A table of file names is the test set of DFDC.
    return "path" in found or "filename" not in found


def _read(source: Path) -> DataSetIndex:
    path = source / NAME
    name = printable(source.resolve().name) or "labels"
    problems: list[Quarantined] = []
    entries: list[_Entry] = []
    refused: set[PurePath] = set()
    for row in read_table(path, ("path", "label")):
        below = listed_path(row.values["path"], source)
        entry = below if isinstance(below, str) else _entry(row, below, source)
        if isinstance(entry, _Entry):
            entries.append(entry)
            continue
        if isinstance(below, PurePath):
            refused.add(below)
        problems.append(_problem(path, row.line, row.values["path"], entry))
    differences(source, {entry.below for entry in entries} | refused, path, problems)
    entries = _without_repeats(path, entries, problems)
    problems += _unknown_originals(path, entries)
    people_in = _people(entries)
    videos = [
        Video(
            key=f"{name}/{entry.method}/unknown/{printable(str(entry.below.with_suffix('')))}",
            path=source / entry.below,
            label=entry.label,
            method=entry.method,
            quality="unknown",
            identities=people_in[entry.below],
            split=entry.split,
            attributes=entry.attributes,
        )
        for entry in entries
        if is_clip(source / entry.below)
    ]
    kept, stills = one_kind(videos, source, problems)
    originals = {
        source / entry.below: entry.below if entry.label == REAL else entry.original
        for entry in entries
    }
    videos = list(add_originals((video, originals[video.path]) for video in kept))
    return DataSetIndex(NAME, name, distinct(videos), tuple(problems), stills)


def _problem(table: Path, line: int, name: str, reason: str) -> Quarantined:
    return Quarantined(f"{table}:{line}", "index", f"{quote(name)!r}: {reason}")


def _entry(row: Row, below: PurePath, source: Path) -> _Entry | str:
    """Return the entry of a row, or the reason why it cannot be used."""
    values = row.values
    label = read_label(values["label"])
    if row.surplus:
        return "the row has more fields than the table has columns; quote a field with a comma"
    if label is None:
        return f"the label is {quote(values['label'])!r}; expected real, fake, 0 or 1"
    method = printable(values.get("method", "")) or "fake"
    if label == FAKE and (method.casefold() == "real" or "/" in method):
        return (
            f"the method of a fake is {quote(method)!r}; expected a name other than real, without /"
        )
    split = values.get("split", "").casefold()
    if split and split not in SPLITS:
        return f"the split is {quote(values['split'])!r}; expected one of {', '.join(SPLITS)}"
    original = None
    if label == FAKE and values.get("original"):
        original = listed_path(values["original"], source)
    if isinstance(original, str):
        return f"the original is {quote(values['original'])!r}: {original}"
    named = (person.strip() for person in values.get("identity", "").split(_BETWEEN_PEOPLE))
    return _Entry(
        line=row.line,
        below=below,
        label=label,
        method="real" if label == REAL else method,
        people=tuple(printable(person) for person in named if person),
        split=split or None,
        original=original,
        attributes=further_values(row, _COLUMNS),
    )


def _without_repeats(
    path: Path, entries: Iterable[_Entry], problems: list[Quarantined]
) -> list[_Entry]:
    """Return one entry a video: the first of equal ones, none of contradicting ones."""
    of_video: dict[PurePath, list[_Entry]] = collections.defaultdict(list)
    for entry in entries:
        of_video[entry.below].append(entry)
    kept = []
    for below, rows in of_video.items():
        first = rows[0]
        if all(entry.same(first) for entry in rows):
            kept.append(first)
            repeats, reason = rows[1:], f"repeats line {first.line}"
        else:
            lines = enumerate_first(entry.line for entry in rows)
            repeats, reason = rows, f"lines {lines} contradict each other"
        problems += [_problem(path, entry.line, str(below), reason) for entry in repeats]
    return kept


def _unknown_originals(path: Path, entries: Iterable[_Entry]) -> list[Quarantined]:
    """Return one problem for all originals that are no real of the table."""
    reals = {entry.below for entry in entries if entry.label == REAL}
    unknown = [entry for entry in entries if entry.original and entry.original not in reals]
    if not unknown:
        return []
    example = f"{quote(str(unknown[0].original))} in line {unknown[0].line}"
    reason = f"originals that are not reals of the table: {len(unknown)}, e.g. {example}"
    return [Quarantined(str(path), "index", reason)]


def _people(entries: Sequence[_Entry]) -> dict[PurePath, tuple[str, ...]]:
    """Return the people of each video: by the table, else by names, as in plain folders.

    The people of its original are always in a fake.
    """
    reals = [entry for entry in entries if entry.label == REAL]
    fakes = [entry for entry in entries if entry.label == FAKE]
    in_reals, in_fakes = people(
        [_location(entry) for entry in reals], [_location(e) for e in fakes]
    )
    found: dict[PurePath, tuple[str, ...]] = {}
    # Identities of the table by the people of the file names.
    stated: dict[str, dict[str, None]] = collections.defaultdict(dict)
    for entry, names in zip(reals, in_reals, strict=True):
        if entry.people:
            stated[names[0]].update(dict.fromkeys(entry.people))
    for entry, names in zip(reals, in_reals, strict=True):
        found[entry.below] = entry.people or tuple(stated.get(names[0], names))
    for entry, names in zip(fakes, in_fakes, strict=True):
        named = entry.people
        if entry.original:
            by_path = (printable(str(entry.original.with_suffix(""))),)
            named = (*found.get(entry.original, by_path), *named)
        named = named or tuple(name for person in names for name in stated.get(person, (person,)))
        found[entry.below] = tuple(dict.fromkeys(named))
    return found


def _location(entry: _Entry) -> Location:
    return Location((), entry.below.parts[:-1], entry.below.stem)


LAYOUT = Layout(NAME, "labels.csv with the columns path,label (any folder)", _detect, _read)
