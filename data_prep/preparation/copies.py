"""Byte-identical files of a source, or folders of frames: in one identity group and one split."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import stat
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

from data_prep.datasets import Video
from data_prep.errors import VideoError
from data_prep.layouts.files import quote
from data_prep.video.frame_folders import find_frame_folder, hash_content

_BEGINNING = 2**16


@dataclasses.dataclass(frozen=True)
class Copies:
    """Files of a source with equal content.

    Attributes:
        paths: the files, in the order of their keys.
        contradictory: whether some are labelled real and others fake.
    """

    paths: tuple[Path, ...]
    contradictory: bool


def join_copies(videos: Sequence[Video]) -> tuple[tuple[Video, ...], tuple[Copies, ...]]:
    """Give byte-identical videos the people of all their copies, whatever their labels.

    Only files of equal size are compared: first by their beginnings, then by SHA-256. Files that
    are neither video nor picture are ignored, such as an error page in place of several videos.

    Returns:
        The videos in the same order, and the groups of copies.
    """
    people: dict[Path, tuple[str, ...]] = {}
    found = []
    groups: list[list[Video]] = [sorted(videos, key=lambda video: video.key)]
    for distinguish in (_size, _beginning, hash_content):
        groups = [part for group in groups for part in _divide(group, distinguish)]
    for group in groups:
        if not _is_media(group[0].path):
            continue
        names = tuple(dict.fromkeys(name for video in group for name in video.identities))
        people |= {video.path: names for video in group}
        labels = {video.label for video in group}
        found.append(Copies(tuple(video.path for video in group), len(labels) > 1))
    joined = (
        dataclasses.replace(video, identities=people.get(video.path, video.identities))
        for video in videos
    )
    return tuple(joined), tuple(found)


def describe_copies(copies: Sequence[Copies], source: Path) -> list[str]:
    """Return a line about identical files, and a line about those with contradictory labels."""
    lines = []
    if copies:
        lines.append(
            f"files with byte-identical copies: {len(copies)}, e.g. {_example(copies, source)}; "
            "copies share an identity group and a split"
        )
    contradictory = [group for group in copies if group.contradictory]
    if contradictory:
        lines.append(
            f"identical files labelled both real and fake: {len(contradictory)}, e.g. "
            f"{_example(contradictory, source)}; correct or remove the wrong ones"
        )
    return lines


def _example(copies: Sequence[Copies], source: Path) -> str:
    root = source.absolute()
    first, second = (
        quote(path.relative_to(root) if path.is_relative_to(root) else path)
        for path in copies[0].paths[:2]
    )
    return f"{first} and {second}"


def _divide(
    videos: Iterable[Video], distinguish: Callable[[Path], Hashable]
) -> Iterable[list[Video]]:
    """Return the videos that share a value with another; one that cannot be read has none."""
    of_value: dict[Hashable, list[Video]] = collections.defaultdict(list)
    for video in videos:
        try:
            value = distinguish(video.path)
        except (OSError, VideoError):
            continue
        if value:
            of_value[value].append(video)
    return [group for group in of_value.values() if len(group) > 1]


def _size(path: Path) -> Hashable:
    """Return the size of a file, or those of the frames of a folder; archives are not opened."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        folder = find_frame_folder(path)
        return folder and folder.sizes
    # Reading a pipe would wait for a writer.
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _beginning(path: Path) -> bytes:
    folder = find_frame_folder(path)
    if folder is not None:
        return hashlib.sha256(next(folder.read([0]))).digest()
    with path.open("rb") as file:
        return hashlib.sha256(file.read(_BEGINNING)).digest()


def _is_media(path: Path) -> bool:
    """Return whether a file has the bytes of a video or picture, not those of a text or of nothing.

    It is not decoded: a decoder may crash, and only workers may.
    """
    if path.is_dir():
        return True
    try:
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING)
    except OSError:
        return False
    return b"\0" in beginning and len(set(beginning)) > 1
