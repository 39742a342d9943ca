"""WildDeepfake (Zi et al., 2020): sequences of face crops from the internet.

The folders ``real_train``, ``real_test``, ``fake_train`` and ``fake_test`` hold tar archives,
``12.tar.gz``, of sequences ``12/fake/54/0.png``. The archives are read as they are, or unpacked. No
people are named. The sequences of one archive count as one person, because they can show the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath

from data_prep.errors import VideoError
from data_prep.layouts.files import distinct, files, subfolders
from data_prep.layouts.layout import MISLABELLED, DataSetIndex, Difference, Layout, Video
from data_prep.store.format import FAKE, REAL, Quarantined
from data_prep.text import printable
from data_prep.video.frame_folders import archive_folders, has_pictures

NAME = "WildDeepfake"
_RELEASE = "deepfake_in_the_wild"
_LABELS = {"real": REAL, "fake": FAKE}
# Validation is made of the training set.
_CATEGORIES = {
    f"{word}_{split}": (label, split)
    for word, label in _LABELS.items()
    for split in ("train", "test")
}
# How deep below a category a sequence lies.
_DEPTH = 4


def _root(source: Path) -> Path:
    inside = source / _RELEASE
    return inside if inside.is_dir() else source


def _detect(source: Path) -> bool:
    names = {folder.name.casefold() for folder in subfolders(_root(source))}
    return {"real_test", "fake_test"} <= names or {"real_train", "fake_train"} <= names


def _read(source: Path) -> DataSetIndex:
    problems: list[Quarantined] = []
    videos = [
        video
        for folder in subfolders(_root(source))
        if folder.name.casefold() in _CATEGORIES
        for video in _videos(folder, problems)
    ]
    return DataSetIndex(NAME, NAME, distinct(videos), tuple(problems))


def _videos(category: Path, problems: list[Quarantined]) -> Iterator[Video]:
    label, split = _CATEGORIES[category.name.casefold()]
    word = "real" if label == REAL else "fake"
    for path, below in _sequences(category, problems):
        stated = {part.casefold() for part in below.parts[:-1]} & set(_LABELS)
        if stated and stated != {word}:
            reason = f"a sequence of {min(stated)} faces in {category.name}; move the archive"
            problems.append(Difference(str(path), "index", reason, MISLABELLED, (str(below),)))
            continue
        parts = [part for part in below.parts if part.casefold() not in _LABELS]
        shard, sequence = parts[0], parts[-1]
        name = printable("_".join((split, shard, sequence) if len(parts) > 1 else (split, shard)))
        yield Video(
            key=f"{NAME}/{word}/unknown/{name}",
            path=path,
            label=label,
            method=word,
            quality="unknown",
            identities=(printable(f"{word} {split} {shard}"),),
            split=split,
        )


def _sequences(category: Path, problems: list[Quarantined]) -> Iterator[tuple[Path, PurePath]]:
    """Yield every sequence of a category, and its path below it that begins with its archive."""
    unpacked = subfolders(category)
    for folder in unpacked:
        for path in _with_pictures(folder, _DEPTH):
            yield path, path.relative_to(category)
    names = {folder.name for folder in unpacked}
    for archive in files(category, problems, recursive=False):
        shard = archive.name.partition(".")[0]
        if ".tar" not in archive.suffixes or shard in names:
            continue
        try:
            found = archive_folders(archive)
        except VideoError as error:
            problems.append(Quarantined(str(archive), "index", error.reason))
            continue
        if not found:
            problems.append(Quarantined(str(archive), "index", "no pictures in the archive"))
        for inside in found:
            yield archive / inside, PurePath(shard, *inside.parts)


def _with_pictures(folder: Path, depth: int) -> Iterator[Path]:
    if has_pictures(folder):
        yield folder
    elif depth > 1:
        for child in subfolders(folder):
            yield from _with_pictures(child, depth - 1)


LAYOUT = Layout(
    NAME, "real_train/, real_test/, fake_train/ and fake_test/ (WildDeepfake)", _detect, _read
)
