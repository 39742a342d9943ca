"""Plain folders: real/ and fake/."""

from __future__ import annotations

import collections
from pathlib import Path, PurePath

from data_prep.layouts.files import VIDEO_SUFFIXES, distinct, files, is_candidate, subfolders
from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.store import FAKE, REAL, Quarantined
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


def _detect(source: Path) -> bool:
    found: set[int] = set()
    level = [source]
    for _ in range(_DEPTH):
        level = [child for folder in level for child in subfolders(folder)]
        found.update(
            _LABELS[child.name.casefold()] for child in level if child.name.casefold() in _LABELS
        )
        if found:
            return True
    return False


def _read(source: Path) -> DataSetIndex:
    name = printable(source.resolve().name) or NAME
    problems: list[Quarantined] = []
    reals: list[tuple[Path, PurePath]] = []
    fakes: list[tuple[Path, PurePath]] = []
    for path in files(source, problems, recursive=True):
        parts = path.relative_to(source).parts
        places = [at for at, part in enumerate(parts[:-1]) if part.casefold() in _LABELS]
        if places and is_candidate(path):
            # The label is the nearest folder's; the name leaves that folder out.
            at = places[-1]
            below = PurePath(*parts[:at], *parts[at + 1 :]).with_suffix("")
            label = _LABELS[parts[at].casefold()]
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
                for person in ([below] if label == REAL else sources_of(below, stems))
            ),
        )
        for label, files_of in ((REAL, reals), (FAKE, fakes))
        for path, below in files_of
    ]
    return DataSetIndex(NAME, name, distinct(videos), tuple(problems))


def sources_of(fake: PurePath, stems: dict[str, list[PurePath]]) -> list[PurePath]:
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


LAYOUT = Layout(NAME, "real/ and fake/ (plain folders)", _detect, _read)
