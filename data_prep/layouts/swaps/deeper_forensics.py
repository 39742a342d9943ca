"""DeeperForensics-1.0 (Jiang et al., 2020).

Fakes are ``manipulated_videos/<variant>/<target>_<actor>.mp4``. Their targets, the reals, are the
c23 originals of FaceForensics++ and have to lie in the same folder. The recordings of the actors in
``source_videos/`` are not part of the reals and are not read.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from data_prep.errors import UserError
from data_prep.layouts.files import distinct, level, list_differences, quote
from data_prep.layouts.frames import FRAME_NAMES, frame_folders, videos_in
from data_prep.layouts.layout import EXTRA, MISSING, DataSetIndex, Difference, Layout, Video
from data_prep.layouts.originals import add_originals
from data_prep.store.format import FAKE, REAL, SPLITS, Quarantined
from data_prep.text import printable, read_text

NAME = "DeeperForensics-1.0"
_FAKES = "manipulated_videos"
_QUALITY = "c23"
_REALS = PurePosixPath("original_sequences/youtube", _QUALITY)
_LISTS = PurePosixPath("lists/splits")


def _detect(source: Path) -> bool:
    return (source / _FAKES).is_dir()


def _read(source: Path) -> DataSetIndex:
    if not any((source / _REALS / name).is_dir() for name in ("videos", *FRAME_NAMES)):
        raise UserError(
            f"{quote(source)} has no reals: expected {_REALS}/videos/ beside {_FAKES}/, because "
            f"they are the {_QUALITY} originals of FaceForensics++; put or link them there"
        )
    problems: list[Quarantined] = []
    official = _official_splits(source)
    videos = [*_fakes(source, official, problems), *_reals(source, official, problems)]
    # The target, whom both name first.
    named = ((video, video.identities[0]) for video in videos)
    return DataSetIndex(NAME, NAME, distinct(add_originals(named)), tuple(problems))


def _fakes(source: Path, official: dict[str, str], problems: list[Quarantined]) -> Iterator[Video]:
    for folder in level(source / _FAKES, f"{_FAKES}/<variant>/", problems):
        variant = printable(folder.name)
        for path in videos_in(folder, problems):
            people = _people(path.stem)
            if not people:
                reason = "no target and actor in the name; expected one such as 000_M101.mp4"
                problems.append(Quarantined(str(path), "index", reason))
                continue
            key = f"{NAME}/{variant}/unknown/{path.stem}"
            yield Video(key, path, FAKE, variant, "unknown", people, official.get(path.stem))


def _reals(source: Path, official: dict[str, str], problems: list[Quarantined]) -> Iterator[Video]:
    """Yield the originals; one is in the split of the fakes made of it."""
    of_target: dict[str, set[str]] = collections.defaultdict(set)
    for name, listed in official.items():
        of_target[name.partition("_")[0]].add(listed)
    folder = source / _REALS
    whole = (folder / "videos").is_dir()
    for path in (
        videos_in(folder / "videos", problems) if whole else frame_folders(folder, problems)
    ):
        target = printable(path.stem)
        splits = of_target[target]
        split = next(iter(splits)) if len(splits) == 1 else None
        key = f"{NAME}/real/{_QUALITY}/{target}"
        yield Video(key, path, REAL, "real", _QUALITY, (target,), split)


def _people(stem: str) -> tuple[str, ...]:
    """Return target and actor of a fake; empty if the name has none."""
    named = re.fullmatch(r"(\d+)_([A-Z]\d+)", stem, flags=re.ASCII)
    return named.groups() if named else ()


def _official_splits(source: Path) -> dict[str, str]:
    """Read the split of every fake in the official lists, by name without ending."""
    official: dict[str, str] = {}
    for split in SPLITS:
        path = source / _LISTS / f"{split}.txt"
        if not path.is_file():
            continue
        try:
            lines = read_text(path).split()
        except (OSError, ValueError) as error:
            raise UserError(
                f"split list {quote(path)} is damaged: {quote(str(error))}; replace it or remove it"
            ) from None
        for line in lines:
            stem = PurePosixPath(line).stem
            if not _people(stem):
                raise UserError(
                    f"split list {quote(path)} is damaged: found {quote(line)!r}, expected names "
                    "such as 000_M101.mp4; replace it or remove it"
                )
            if official.setdefault(stem, split) != split:
                raise UserError(
                    f"{quote(source)}: {stem} is in two official splits, {official[stem]} and "
                    f"{split}; correct the split lists"
                )
    return official


def _compare(source: Path, found: DataSetIndex) -> Sequence[Difference]:
    """Return the differences between the split lists and each variant."""
    listed = set(_official_splits(source))
    there: dict[str, set[str]] = {}
    for video in found.videos:
        if video.label == FAKE:
            there.setdefault(video.method, set()).add(video.path.stem)
    differences: list[Difference] = []
    for variant, names in there.items() if listed else ():
        for kind, some in ((MISSING, listed - names), (EXTRA, names - listed)):
            places = [f"{variant}/{name}" for name in some]
            differences += list_differences(source / _LISTS, kind, places)
    return differences


LAYOUT = Layout(NAME, f"{_FAKES}/ and {_REALS}/videos/ ({NAME})", _detect, _read, _compare)
