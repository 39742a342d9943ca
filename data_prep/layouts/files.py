"""Folders and files of a data set, read the same way by every layout."""

from __future__ import annotations

import collections
import dataclasses
import os
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from data_prep.layouts.layout import EXTRA, MISSING, Difference, Video
from data_prep.store.format import Quarantined
from data_prep.text import printable
from data_prep.video.frame_folders import PICTURE_SUFFIXES, has_pictures

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".ogv", ".ts", ".vob", ".webm", ".wmv"}
)
# Files that travel beside videos and are no input.
_SIDECAR_SUFFIXES = frozenset(
    {".csv", ".html", ".json", ".log", ".md", ".md5", ".pdf", ".sha256", ".srt", ".toml"}
    | {".tsv", ".txt", ".vtt", ".xml", ".yaml", ".yml"}
)
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
# Folders in which systems, network drives and notebooks keep deleted files and copies.
_COPY_FOLDERS = frozenset(
    {"$recycle.bin", "recycler", "#recycle", "@recycle", ".recycle", "lost+found", "lost.dir"}
    | {"#snapshot", "@recently-snapshot", "system volume information", ".spotlight-v100"}
    | {"@eadir", "__macosx", ".ipynb_checkpoints"}
)
# Such as .Trash-1000 and .Trashes; macOS keeps what belongs to a.mp4 in ._a.mp4.
_COPY_BEGINNINGS = (".trash", "._")


# No usable path is longer, and no line of a table.
_LONGEST_NAME = 400


def quote(name: PurePath | str) -> str:
    """Return a name that fits into one line of a message or a table; a long one is shortened."""
    line = re.sub(r"[\r\n\t]+", " ", printable(str(name)))
    if len(line) <= _LONGEST_NAME:
        return line
    return f"{line[: _LONGEST_NAME // 2]}...{line[-_LONGEST_NAME // 2 :]}"


def subfolders(folder: Path) -> list[Path]:
    """List the folders in a folder by name, without hidden ones.

    A folder that cannot be read has none.
    """
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if _is_folder(entry)]
    except OSError:
        return []
    return [folder / name for name in sorted(found, key=os.fsencode)]


def level(folder: Path, expected: str, problems: list[Quarantined]) -> list[Path]:
    """List the subfolders of a level that holds no videos; videos there become problems.

    Args:
        folder: the level; it may be missing.
        expected: right folder of videos, for the reason.
        problems: list that receives the unusable files.
    """
    if not folder.is_dir():
        return []
    problems += [
        Quarantined(str(path), "index", f"expected below {expected}")
        for path in files(folder, problems, recursive=False)
        if path.suffix.casefold() in VIDEO_SUFFIXES
    ]
    return subfolders(folder)


def files(folder: Path, problems: list[Quarantined], *, recursive: bool) -> list[Path]:
    """List regular files in a folder, by name; entries of other kinds become problems.

    Every folder is read once, links after all real folders, so circular links end.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    folders, linked = collections.deque([folder]), collections.deque[Path]()
    while folders or linked:
        current = folders.popleft() if folders else linked.popleft()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(current) as children:
                entries = [entry for entry in children if not _is_hidden(entry.name)]
        except OSError as error:
            problems.append(Quarantined(str(current), "index", f"cannot be read: {error.strerror}"))
            continue
        for entry in entries:
            path = current / entry.name
            try:
                if entry.is_dir():
                    if recursive:
                        (linked if entry.is_symlink() else folders).append(path)
                elif entry.is_file():
                    found.append(path)
                else:
                    reason = "a broken link" if entry.is_symlink() else "not a regular file"
                    problems.append(Quarantined(str(path), "index", reason))
            except OSError as error:
                reason = f"cannot be read: {error.strerror}"
                problems.append(Quarantined(str(path), "index", reason))
    return sorted(found, key=os.fsencode)


def count_copies(source: Path) -> list[Quarantined]:
    """Return one problem for all deleted files and copies below a folder, which are never read."""
    found: list[Path] = []
    for folder, folders, names in os.walk(source):
        found += [Path(folder, name) for name in (*folders, *names) if _is_copy(name)]
        folders[:] = [name for name in folders if not _is_hidden(name)]
    if not found:
        return []
    example = quote(min(found).relative_to(source))
    reason = f"deleted files and copies made by the system, not read: {len(found)}, e.g. {example}"
    return [Quarantined(str(source), "index", reason)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return not _is_hidden(entry.name) and entry.is_dir()
    except OSError:
        return False


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _SYSTEM_FILES or _is_copy(name)


def _is_copy(name: str) -> bool:
    """Return whether a folder or a file holds a deleted file or a copy by the system."""
    name = name.casefold()
    return name in _COPY_FOLDERS or name.startswith(_COPY_BEGINNINGS)


def is_candidate(path: Path) -> bool:
    """Return whether a file may be a video: sidecars are not, a file of unknown ending is."""
    return path.suffix.casefold() not in _SIDECAR_SUFFIXES


def is_file(path: Path) -> bool:
    """Return whether a regular file exists; an impossible name does not."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_clip(path: Path) -> bool:
    """Return whether a regular file or a folder of extracted frames exists."""
    return is_file(path) or has_pictures(path)


def distinct(videos: Iterable[Video]) -> tuple[Video, ...]:
    """Sort videos by key; equal keys get the file's ending, then a number."""
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


def listed_path(text: str, source: Path) -> PurePath | str:
    """Return the path below the data set in a list, or the reason why it is invalid.

    Args:
        text: the path in the list. A list made on Windows has backslashes between folders; here
            they can also be part of a name.
        source: folder of the data set.
    """
    if "\\" in text and not is_file(source / text):
        text = text.replace("\\", "/")
    path = PurePosixPath(posixpath.normpath(text))
    if not text:
        return "no path"
    if "\0" in text:
        return "the path has a null character"
    if path.is_absolute() or PureWindowsPath(text).drive:
        return "the path is absolute; expected one below the folder of the list"
    if ".." in path.parts:
        return "the path leads out of the data set; expected one below the folder of the list"
    return path


def differences(
    source: Path, listed: Iterable[PurePath], path: Path, problems: list[Quarantined]
) -> None:
    """Add a problem for listed videos that are missing, and one for videos that are not listed."""
    names = {source / name for name in listed}
    pictures = names and all(name.suffix.casefold() in PICTURE_SUFFIXES for name in names)
    suffixes = PICTURE_SUFFIXES if pictures else VIDEO_SUFFIXES
    # Problems of folders are found here again; only the videos of the list are needed.
    there = set(files(source, [], recursive=True))
    wanted = {path for path in there if path.suffix.casefold() in suffixes}
    noun = "pictures" if pictures else "videos"
    missing = {path for path in names - there if not is_clip(path)}
    for found, kind in ((missing, MISSING), (wanted - names, EXTRA)):
        below = [str(each.relative_to(source)) for each in found]
        problems += list_differences(path, kind, below, noun)


def list_differences(
    path: Path, kind: str, names: Iterable[str], noun: str = "videos"
) -> list[Difference]:
    """Return one difference between a list and the folder, or none if there are no names.

    Args:
        path: the list.
        kind: ``MISSING``, ``EXTRA`` or ``MISLABELLED``.
        names: of the videos.
        noun: videos or pictures.
    """
    ordered = tuple(sorted(map(printable, names)))
    if not ordered:
        return []
    reason = f"{noun} {kind}: {len(ordered)}, e.g. {quote(ordered[0])}"
    return [Difference(str(path), "index", reason, kind, ordered)]
