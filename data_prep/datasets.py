"""Which videos a folder holds, and who is in them.

A data set is recognised by its folder layout. A layout is one entry of :data:`LAYOUTS`: a
function that recognises it and one that reads it.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath

from data_prep.errors import UserError
from data_prep.store import FAKE, REAL, SPLITS, Quarantined
from data_prep.text import printable

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".ogv", ".ts", ".vob", ".webm", ".wmv"}
)
# Files that travel beside videos and are no input.
_SIDECAR_SUFFIXES = frozenset(
    {".csv", ".html", ".json", ".log", ".md", ".md5", ".pdf", ".sha256", ".srt", ".toml"}
    | {".tsv", ".txt", ".vtt", ".xml", ".yaml", ".yml"}
)
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})

# A data set that holds this file was made from nothing, and says so wherever its scores appear.
SYNTHETIC_MARKER = "SYNTHETIC.json"

_FACE_FORENSICS = "FaceForensics++"
_FACE_FORENSICS_FOLDERS = (("original_sequences", REAL), ("manipulated_sequences", FAKE))
# What FaceForensics++ keeps beside its qualities: white on black masks, and face models.
_FACE_FORENSICS_EXTRAS = frozenset({"masks", "models"})

_FOLDER_LABELS = {
    "real": REAL,
    "reals": REAL,
    "original": REAL,
    "originals": REAL,
    "fake": FAKE,
    "fakes": FAKE,
    "manipulated": FAKE,
}
# How deep below the source a folder such as real/ is looked for.
_FOLDER_DEPTH = 3


@dataclasses.dataclass(frozen=True)
class Video:
    """One video of a data set, not yet opened.

    Attributes:
        key: unique name, ``data set/method/quality/name``.
        path: the file.
        label: 0 real, 1 fake.
        method: manipulation method, ``real`` for reals.
        quality: compression level as the data set names it, or ``unknown``.
        identities: the people in it as far as the data set tells: the target, then the donor.
        split: the official ``train``, ``val`` or ``test``, or None.
    """

    key: str
    path: Path
    label: int
    method: str
    quality: str
    identities: tuple[str, ...]
    split: str | None = None


@dataclasses.dataclass(frozen=True)
class DataSetIndex:
    """What a source folder holds.

    Attributes:
        layout: name of the layout it was read as.
        name: name of the data set.
        videos: every candidate, by key; a file of unknown ending is one too, and is opened.
        problems: what cannot be a candidate, with the reason.
    """

    layout: str
    name: str
    videos: tuple[Video, ...]
    problems: tuple[Quarantined, ...]


@dataclasses.dataclass(frozen=True)
class Layout:
    """One way of laying out a data set.

    Attributes:
        name: what it is called.
        expected: what recognises it, for the message when nothing fits.
        detect: whether a folder has this layout.
        read: the folder's index.
    """

    name: str
    expected: str
    detect: Callable[[Path], bool]
    read: Callable[[Path], DataSetIndex]


def index(source: Path) -> DataSetIndex:
    """List the videos of a data set in any of the known layouts.

    Raises:
        UserError: there is no such folder, its layout is not known, it holds no video, or a
            split list is damaged.
    """
    source = source.absolute()
    if not source.exists():
        raise UserError(f"no data set at {_shown(source)}: there is no such folder")
    if not source.is_dir():
        raise UserError(f"{_shown(source)} is a file; expected a folder with {_expected()}")
    try:
        layout = next((layout for layout in LAYOUTS if layout.detect(source)), None)
        if layout is None:
            raise UserError(
                f"{_shown(source)} has no known layout: expected {_expected()}; "
                f"found {_found(source)}"
            )
        found = layout.read(source)
    except OSError as error:
        raise UserError(f"{_shown(source)} cannot be read: {error.strerror}") from None
    if not found.videos:
        raise UserError(
            f"no video in {_shown(source)}: it looks like {layout.name}, but the folders for "
            f"videos are empty; expected {layout.expected}"
        )
    return found


def _expected() -> str:
    return ", or ".join(layout.expected for layout in LAYOUTS)


def _found(source: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in source.iterdir())
    shown = ", ".join(_shown(name) for name in names[:5])
    if len(names) > 5:
        shown += f" and {len(names) - 5} more"
    inside = [
        child
        for child in _subfolders(source)
        if os.access(child, os.R_OK | os.X_OK) and any(layout.detect(child) for layout in LAYOUTS)
    ]
    hint = f"; did you mean {_shown(inside[0])}?" if inside else ""
    return (shown or "nothing") + hint


def _shown(name: PurePath | str) -> str:
    """A name fit for one line of a message or a table."""
    return re.sub(r"[\r\n\t]+", " ", printable(str(name)))


# FaceForensics++ (Rossler et al., 2019), with the Google actors (DFD) where they are present.


def _is_face_forensics(source: Path) -> bool:
    return any((source / folder).is_dir() for folder, _ in _FACE_FORENSICS_FOLDERS)


def _read_face_forensics(source: Path) -> DataSetIndex:
    official = _official_splits(source)
    problems: list[Quarantined] = []
    videos = []
    for folder, label in _FACE_FORENSICS_FOLDERS:
        for method_folder in _levels(source / folder, problems):
            method = "real" if label == REAL else printable(method_folder.name)
            for quality_folder in _levels(method_folder, problems):
                if quality_folder.name.casefold() in _FACE_FORENSICS_EXTRAS:
                    continue
                quality = printable(quality_folder.name)
                for path, name in _face_forensics_files(quality_folder, problems):
                    identities = _face_forensics_identities(PurePath(name).name, label)
                    split = _official_split(path, identities, official)
                    key = f"{_FACE_FORENSICS}/{method}/{quality}/{printable(name)}"
                    videos.append(Video(key, path, label, method, quality, identities, split))
    return DataSetIndex(_FACE_FORENSICS, _FACE_FORENSICS, _distinct(videos), tuple(problems))


def _levels(folder: Path, problems: list[Quarantined]) -> list[Path]:
    """Subfolders of a level that holds no videos; those that lie there go to problems."""
    if folder.is_dir():
        for path in _files(folder, problems, recursive=False):
            if path.suffix.casefold() in VIDEO_SUFFIXES:
                reason = "expected below <method>/<quality>/videos/"
                problems.append(Quarantined(str(path), "index", reason))
    return _subfolders(folder)


def _face_forensics_files(folder: Path, problems: list[Quarantined]) -> Iterator[tuple[Path, str]]:
    """Files of a quality folder and their names without ending; ``videos/`` may be left out."""
    below = folder / "videos"
    whole = below.is_dir()
    below = below if whole else folder
    for path in _files(below, problems, recursive=whole):
        if _is_candidate(path):
            yield path, path.relative_to(below).with_suffix("").as_posix()


def _face_forensics_identities(name: str, label: int) -> tuple[str, ...]:
    """``AAA_BBB`` is target and donor; of the actors ``24_23__scene__X``, reals ``24__scene``."""
    name = printable(name)
    actors = re.match(r"(\d+)_(\d+)__" if label == FAKE else r"(\d+)__", name)
    if actors:
        return tuple(f"actor {number}" for number in actors.groups())
    pair = re.fullmatch(r"([^_]+)_([^_]+)", name) if label == FAKE else None
    return pair.groups() if pair else (name,)


def _official_splits(source: Path) -> dict[str, str]:
    """The split of every identity in the official lists; empty where there are none."""
    official: dict[str, str] = {}
    for split in SPLITS:
        path = next(
            (
                folder / f"{split}.json"
                for folder in (source, source / "splits")
                if (folder / f"{split}.json").is_file()
            ),
            None,
        )
        for identity in _read_pairs(path) if path else ():
            if official.setdefault(identity, split) != split:
                raise UserError(
                    f"{_shown(source)}: identity {identity} is in two official splits, "
                    f"{official[identity]} and {split}; correct the split lists"
                )
    return official


def _read_pairs(path: Path) -> list[str]:
    try:
        pairs = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"split list {_shown(path)} is damaged: {_shown(str(error))}; replace it or remove it"
        ) from None
    valid = isinstance(pairs, list) and all(
        isinstance(pair, list) and all(isinstance(identity, str) for identity in pair)
        for pair in pairs
    )
    if not valid:
        raise UserError(
            f"split list {_shown(path)} is damaged: expected a list of pairs such as "
            '["071", "054"]; replace it or remove it'
        )
    return [identity for pair in pairs for identity in pair]


def _official_split(
    path: Path, identities: tuple[str, ...], official: dict[str, str]
) -> str | None:
    splits = sorted({official[identity] for identity in identities if identity in official})
    if len(splits) > 1:
        raise UserError(
            f"{_shown(path)} shows people of two official splits, {' and '.join(splits)}; "
            "remove the video or correct the split lists"
        )
    return splits[0] if splits else None


# Plain folders: real/ and fake/.


def _is_folders(source: Path) -> bool:
    found: set[int] = set()
    level = [source]
    for _ in range(_FOLDER_DEPTH):
        level = [child for folder in level for child in _subfolders(folder)]
        found.update(
            _FOLDER_LABELS[child.name.casefold()]
            for child in level
            if child.name.casefold() in _FOLDER_LABELS
        )
        if found:
            return True
    return False


def _read_folders(source: Path) -> DataSetIndex:
    name = printable(source.resolve().name) or "folders"
    problems: list[Quarantined] = []
    reals: list[tuple[Path, PurePath]] = []
    fakes: list[tuple[Path, PurePath]] = []
    for path in _files(source, problems, recursive=True):
        parts = path.relative_to(source).parts
        places = [at for at, part in enumerate(parts[:-1]) if part.casefold() in _FOLDER_LABELS]
        if places and _is_candidate(path):
            # The label is the nearest folder's; the name leaves that folder out.
            at = places[-1]
            below = PurePath(*parts[:at], *parts[at + 1 :]).with_suffix("")
            label = _FOLDER_LABELS[parts[at].casefold()]
            (reals if label == REAL else fakes).append((path, below))
        elif not places and path.suffix.casefold() in VIDEO_SUFFIXES:
            reason = "neither in a folder of reals (real/) nor of fakes (fake/)"
            problems.append(Quarantined(str(path), "index", reason))

    stems: dict[str, list[PurePath]] = collections.defaultdict(list)
    for _, below in reals:
        stems[below.name.casefold()].append(below)
    videos = [
        Video(
            key=f"{name}/{'real' if label == REAL else 'fake'}/unknown/{printable(str(below))}",
            path=path,
            label=label,
            method="real" if label == REAL else "fake",
            quality="unknown",
            identities=tuple(
                printable(str(person))
                for person in ([below] if label == REAL else _sources_of(below, stems))
            ),
        )
        for label, files in ((REAL, reals), (FAKE, fakes))
        for path, below in files
    ]
    return DataSetIndex("folders", name, _distinct(videos), tuple(problems))


def _sources_of(fake: PurePath, stems: dict[str, list[PurePath]]) -> list[PurePath]:
    """The reals a fake was made from, told by its name; the fake itself if there are none.

    The longest runs of the name's parts between underscores that are a real's name count.
    Reals in the fake's own subfolder are preferred to reals of the same name elsewhere.
    """
    parts = fake.name.casefold().split("_")
    runs = [
        (start, end)
        for start in range(len(parts))
        for end in range(start + 1, len(parts) + 1)
        if "_".join(parts[start:end]) in stems
    ]
    longest = [
        (start, end)
        for start, end in runs
        if not any(a <= start and end <= b and (a, b) != (start, end) for a, b in runs)
    ]
    sources: list[PurePath] = []
    for start, end in longest:
        named = stems["_".join(parts[start:end])]
        beside = [real for real in named if real.parent == fake.parent]
        sources += beside or named
    return list(dict.fromkeys(sources)) or [fake]


# Reading folders.


def _subfolders(folder: Path) -> list[Path]:
    """Folders in a folder, by name, without hidden ones; none if it does not exist."""
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return []
    return sorted(
        (child for child in folder.iterdir() if child.is_dir() and not _is_hidden(child.name)),
        key=os.fsencode,
    )


def _files(folder: Path, problems: list[Quarantined], *, recursive: bool) -> list[Path]:
    """Regular files in a folder, by name; what is no file but not a folder goes to problems.

    Every folder is read once, links after all real folders, so links in circles end.
    """
    files: list[Path] = []
    seen: set[tuple[int, int]] = set()
    folders, linked = collections.deque([folder]), collections.deque[Path]()
    while folders or linked:
        current = folders.popleft() if folders else linked.popleft()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            children = list(current.iterdir())
        except OSError as error:
            problems.append(Quarantined(str(current), "index", f"cannot be read: {error.strerror}"))
            continue
        for child in children:
            if _is_hidden(child.name):
                continue
            if child.is_dir():
                if recursive:
                    (linked if child.is_symlink() else folders).append(child)
            elif child.is_file():
                files.append(child)
            else:
                reason = "a link to nothing" if child.is_symlink() else "not a regular file"
                problems.append(Quarantined(str(child), "index", reason))
    return sorted(files, key=os.fsencode)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _SYSTEM_FILES


def _is_candidate(path: Path) -> bool:
    return path.suffix.casefold() not in _SIDECAR_SUFFIXES


def _distinct(videos: Iterable[Video]) -> tuple[Video, ...]:
    """Videos sorted by key; where keys collide they take the file's ending, then a number."""
    videos = list(videos)
    shared = collections.Counter(video.key for video in videos)
    taken = {key for key, count in shared.items() if count == 1}
    distinct = []
    for video in sorted(videos, key=lambda video: os.fsencode(video.path)):
        key = video.key
        if shared[key] > 1:
            stem = key + printable(video.path.suffix)
            key, number = stem, 1
            while key in taken:
                number += 1
                key = f"{stem}#{number}"
            taken.add(key)
        distinct.append(dataclasses.replace(video, key=key))
    return tuple(sorted(distinct, key=lambda video: video.key))


LAYOUTS = (
    Layout(
        _FACE_FORENSICS,
        "original_sequences/ and manipulated_sequences/ (FaceForensics++)",
        _is_face_forensics,
        _read_face_forensics,
    ),
    Layout(
        "folders",
        "real/ and fake/ (plain folders)",
        _is_folders,
        _read_folders,
    ),
)
