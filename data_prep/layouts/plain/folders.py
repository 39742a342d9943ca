"""Plain folders: real/ and fake/."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.layouts.files import distinct, files, quote, subfolders
from data_prep.layouts.kinds import candidates, is_picture, is_video, only_pictures
from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.layouts.plain.people import Location, people
from data_prep.store.format import FAKE, REAL, Quarantined
from data_prep.text import printable

NAME = "folders"
_LABELS = {
    "real": REAL,
    "reals": REAL,
    "original": REAL,
    "originals": REAL,
    "fake": FAKE,
    "fakes": FAKE,
    "manipulated": FAKE,
}
# How deep below the source a folder such as real/ is looked for.
_DEPTH = 3


@dataclasses.dataclass(frozen=True)
class _Labelled:
    """File, the folder that labels it, and its path below that folder."""

    path: Path
    folder: tuple[str, ...]
    label: int
    location: Location

    def name(self) -> str:
        """Return the path below the data set, without the folder of the label and the ending."""
        return "/".join((*self.location.above, *self.location.below, self.location.stem))


def holds_labels(source: Path) -> bool:
    """Return whether a folder contains a folder such as real/, not too deep."""
    level = [source]
    for _ in range(_DEPTH):
        level = [child for folder in level for child in subfolders(folder)]
        if any(child.name.casefold() in _LABELS for child in level):
            return True
    return False


def find_labelled(source: Path, label: int | None = None) -> Iterator[Path]:
    """Yield the files in folders such as real/, of one label or of both."""
    for path in files(source, [], recursive=True):
        folders = path.parts[len(source.parts) : -1]
        at = _nearest(folders)
        if at is not None and label in (None, _LABELS[folders[at].casefold()]):
            yield path


def _detect(source: Path) -> bool:
    return holds_labels(source) and not only_pictures(find_labelled(source))


def read(source: Path, layout: str, *, stills: bool) -> DataSetIndex:
    """Read the videos, or with ``stills`` the pictures, in folders such as real/ and fake/."""
    name = printable(source.resolve().name) or layout
    problems: list[Quarantined] = []
    found, elsewhere = _divided(source, files(source, problems, recursive=True))
    problems += _unlabelled(source, elsewhere, stills=stills)
    of_folder: dict[tuple[str, ...], list[Path]] = {}
    for file in found:
        of_folder.setdefault(file.folder, []).append(file.path)
    usable = {
        path
        for folder, paths in of_folder.items()
        for path in candidates(paths, source.joinpath(*folder), problems, stills=stills)
    }
    reals = [file for file in found if file.path in usable and file.label == REAL]
    fakes = [file for file in found if file.path in usable and file.label == FAKE]
    in_reals, in_fakes = people(
        [file.location for file in reals], [file.location for file in fakes]
    )
    videos = []
    for file, identities in zip([*reals, *fakes], [*in_reals, *in_fakes], strict=True):
        method = "real" if file.label == REAL else "fake"
        key = f"{name}/{method}/unknown/{printable(file.name())}"
        videos.append(Video(key, file.path, file.label, method, "unknown", identities))
    return DataSetIndex(layout, name, distinct(videos), tuple(problems), stills)


def _unlabelled(source: Path, paths: list[Path], *, stills: bool) -> list[Quarantined]:
    """Return a problem for every video without a labelling folder, or one for all pictures."""
    reason = "neither in a folder of reals (real/) nor of fakes (fake/)"
    if not stills:
        return [Quarantined(str(path), "index", reason) for path in paths if is_video(path)]
    pictures = [path for path in paths if is_picture(path)]
    if not pictures:
        return []
    example = quote(pictures[0].relative_to(source))
    reason = f"pictures {reason}: {len(pictures)}, e.g. {example}"
    return [Quarantined(str(source), "index", reason)]


def _divided(source: Path, paths: list[Path]) -> tuple[list[_Labelled], list[Path]]:
    """Divide files into those in a folder of a label and the others."""
    found, elsewhere = [], []
    for path in paths:
        folders = path.parts[len(source.parts) : -1]
        at = _nearest(folders)
        if at is None:
            elsewhere.append(path)
            continue
        # The name leaves the folder of the label out.
        location = Location(folders[:at], folders[at + 1 :], path.stem)
        found.append(_Labelled(path, folders[: at + 1], _LABELS[folders[at].casefold()], location))
    return found, elsewhere


def _nearest(folders: Sequence[str]) -> int | None:
    """Return the index of the nearest folder above a file that names a label."""
    locations = [at for at, folder in enumerate(folders) if folder.casefold() in _LABELS]
    return locations[-1] if locations else None


LAYOUT = Layout(
    NAME,
    "real/ and fake/ (plain folders)",
    _detect,
    lambda source: read(source, NAME, stills=False),
)
