"""The list of sources of a store: folders named on the command line, or ``sources.toml``."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_prep.datasets import AUTO
from data_prep.errors import UserError
from data_prep.layouts.files import quote
from data_prep.splits.splits import IDENTITY, OFFICIAL
from data_prep.store.format import FAKE, LABELLED, REAL, REAL_ONLY, ROLES, SPLITS
from data_prep.text import printable

SOURCE_POLICIES = (AUTO, OFFICIAL, IDENTITY, *SPLITS)
BY_NAME, BY_FILE = "name", "file"
_LABELS = {"real": REAL, "fake": FAKE}
_MOST_BYTES = 4 << 20


@dataclasses.dataclass(frozen=True)
class Source:
    """One folder of videos or pictures, and its use in the store.

    Args:
        path: Folder.
        name: First part of the keys of its clips, unique in the store; the name of the folder if
            empty.
        data_set: Name of the data set it belongs to. Sources of one data set share people and
            methods. If empty, it is the data set that the layout recognises, or the name of the
            source if the folder is of no known data set.
        layout: Name of its layout; ``auto`` recognises it.
        label: 0 if all is real, 1 if all is fake, None if its layout has the labels.
        weight: Frequency of its people in training, relative to people of other sources.
        split: ``auto``, ``official`` or ``identity`` as of a store of this source alone, or the
            split that all of it belongs to.
        role: ``labelled``, or ``real-only``: real faces as material for pseudo-fakes, in train and
            val alone.
        person: ``name`` for the people that the layout finds in the names of files, or ``file`` for
            another person in every file.
        people: Split of single people by their identity in this source.

    Raises:
        UserError: A value is out of range.
    """

    path: Path
    name: str = ""
    data_set: str = ""
    layout: str = AUTO
    label: int | None = None
    weight: float = 1.0
    split: str = AUTO
    role: str = LABELLED
    person: str = BY_NAME
    people: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        path = self.path.absolute()
        object.__setattr__(self, "path", path)
        name = self.name or printable(path.resolve().name)
        object.__setattr__(self, "name", name)
        if not name or "/" in name or not name.isprintable():
            raise UserError(
                f"the source {quote(path)} needs a name without a slash; received {name!r}"
            )
        if not 0 < self.weight <= 1000:
            raise UserError(
                f"the weight of the source {name} must be above 0 and at most 1000; received "
                f"{self.weight}; to leave the source out, remove it from the list"
            )
        for value in (self.split, *self.people.values()):
            known = SOURCE_POLICIES if value is self.split else SPLITS
            if value not in known:
                raise UserError(
                    f"the split of the source {name} must be one of {', '.join(known)}; received "
                    f"{value!r}"
                )
        if self.person not in (BY_NAME, BY_FILE):
            raise UserError(
                f"person of the source {name} must be {BY_NAME} or {BY_FILE}; received "
                f"{self.person!r}"
            )
        if self.role not in ROLES:
            raise UserError(
                f"the role of the source {name} must be {' or '.join(ROLES)}; received "
                f"{self.role!r}"
            )
        if self.role == REAL_ONLY:
            if self.label == FAKE:
                raise UserError(f"the source {name} has the role {REAL_ONLY} and the label fake")
            if "test" in (self.split, *self.people.values()):
                raise UserError(
                    f"the source {name} has the role {REAL_ONLY}, which is material for training "
                    "and validation; its split cannot be test"
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the values in the form that JSON can hold."""
        return dataclasses.asdict(self) | {
            "path": printable(str(self.path)),
            "people": dict(self.people),
        }


@dataclasses.dataclass(frozen=True)
class Sources:
    """Sources of one store.

    Args:
        sources: At least one; names are unique, and no folder lies in another.
        same_people: Names of one person, each ``data set:identity``; a tuple a person.

    Raises:
        UserError: Two sources have one name, or one lies in another.
    """

    sources: tuple[Source, ...]
    same_people: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.sources:
            raise UserError("no source is given; name a folder of videos")
        by_name: dict[str, Source] = {}
        for source in self.sources:
            other = by_name.setdefault(source.name, source)
            if other is not source:
                raise UserError(
                    f"two sources have the name {source.name}: {quote(other.path)} and "
                    f"{quote(source.path)}; give one another name in a list of sources"
                )
        for source in self.sources:
            for other in self.sources:
                if other is not source and _is_inside(source.path, other.path):
                    raise UserError(
                        f"the source {quote(source.path)} lies in the source {quote(other.path)}; "
                        "name each file once"
                    )

    @property
    def is_single(self) -> bool:
        """Whether it is one labelled folder, whose keys need no name of a source."""
        if len(self.sources) > 1 or self.same_people:
            return False
        (only,) = self.sources
        return only == Source(only.path, layout=only.layout, label=only.label)


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def list_sources(paths: Sequence[Path], *, layout: str = AUTO, label: int | None = None) -> Sources:
    """Return the sources that a user names: folders and files of :func:`read_sources`.

    Args:
        paths: Folders, and TOML files that list folders.
        layout: Layout of a single folder.
        label: Label of a single folder.

    Raises:
        UserError: A file is no list of sources, or the sources exclude each other.
    """
    if layout != AUTO or label is not None:
        if len(paths) != 1 or _is_list(paths[0]):
            raise UserError(
                "a layout or a label for all is of one folder alone; for several sources, write "
                "them into a TOML file that lists the sources"
            )
        return Sources((Source(paths[0], layout=layout, label=label),))
    sources: list[Source] = []
    same: list[tuple[str, ...]] = []
    for path in map(Path, paths):
        if _is_list(path):
            listed = read_sources(path)
            sources += listed.sources
            same += listed.same_people
        else:
            sources.append(Source(path))
    return Sources(tuple(sources), tuple(same))


def _is_list(path: Path) -> bool:
    return path.suffix.casefold() == ".toml" and not path.is_dir()


def read_sources(path: Path) -> Sources:
    """Read a list of sources. Relative paths start at the folder of the file.

    ::

        same_people = [["FaceForensics++:033", "mine:anna"]]   # optional

        [[source]]
        path = "FaceForensics++"

        [[source]]
        path = "portraits"
        role = "real-only"
        weight = 0.5

    Raises:
        UserError: The file cannot be read, is not TOML, or has an unknown key or a wrong type.
    """
    values = _read_toml(path)
    _check_keys(path, "the file", values, {"source", "same_people"})
    entries = values.get("source")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError(f"{quote(path)} has no source; begin each one with [[source]] and its path")
    same = values.get("same_people", [])
    if not isinstance(same, list) or not all(map(_are_names, same)):
        raise UserError(
            f"{quote(path)}: same_people must be a list of lists of names, such as "
            '[["FaceForensics++:033", "mine:anna"]]'
        )
    sources = tuple(_read_source(path, entry) for entry in entries)
    return Sources(sources, tuple(map(tuple, same)))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{quote(path)} is larger than a list of sources")
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{quote(path)} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{quote(path)} is not a TOML file: {error}") from None


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "path": str,
    "name": str,
    "data_set": str,
    "layout": str,
    "label": str,
    "weight": (int, float),
    "split": str,
    "role": str,
    "person": str,
    "people": dict,
}


def _read_source(path: Path, entry: Mapping[str, Any]) -> Source:
    where = f"the source {entry.get('name') or entry.get('path') or 'without a path'}"
    _check_keys(path, where, entry, set(_TYPES))
    for name, value in entry.items():
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            raise UserError(f"{quote(path)}: {name} of {where} has a wrong type: {value!r}")
    if "path" not in entry:
        raise UserError(f"{quote(path)}: {where} needs a path")
    label = entry.get("label")
    if label is not None and label not in _LABELS:
        raise UserError(f"{quote(path)}: label of {where} must be real or fake; received {label!r}")
    values = dict(entry) | {"path": path.absolute().parent / Path(entry["path"]).expanduser()}
    if label is not None:
        values["label"] = _LABELS[label]
    return Source(**values)


def _check_keys(path: Path, where: str, values: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(values) - known):
        raise UserError(
            f"{quote(path)}: unknown key {', '.join(unknown)} in {where}; known: "
            f"{', '.join(sorted(known))}"
        )


def _are_names(row: object) -> bool:
    return isinstance(row, list) and len(row) > 1 and all(isinstance(name, str) for name in row)
