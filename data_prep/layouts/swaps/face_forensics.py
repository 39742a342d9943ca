"""FaceForensics++ (Rossler et al., 2019), with the Google actors (DFD) where they are present."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from data_prep.errors import UserError
from data_prep.layouts.files import (
    distinct,
    files,
    is_clip,
    level,
    list_differences,
    quote,
    subfolders,
)
from data_prep.layouts.frames import frame_folders
from data_prep.layouts.kinds import candidates
from data_prep.layouts.layout import (
    EXTRA,
    MISLABELLED,
    MISSING,
    DataSetIndex,
    Difference,
    Layout,
    Video,
)
from data_prep.layouts.originals import add_originals
from data_prep.layouts.tables import read_json
from data_prep.store.format import FAKE, REAL, SPLITS, Quarantined
from data_prep.text import printable

NAME = "FaceForensics++"
_FOLDERS = (("original_sequences", REAL), ("manipulated_sequences", FAKE))
_PLACE = "<method>/<quality>/videos/"
# Other folders of FaceForensics++ beside its qualities: masks in white on black, and face models.
_EXTRAS = frozenset({"masks", "models"})
_PAIR = re.compile(r"([^_]+)_([^_]+)(?:_.*)?", flags=re.DOTALL)


def _detect(source: Path) -> bool:
    return any((source / folder).is_dir() for folder, _ in _FOLDERS)


def _read(source: Path) -> DataSetIndex:
    official = _official_splits(source)
    problems: list[Quarantined] = []
    named: list[tuple[Video, tuple[str, str] | None]] = []
    for folder, label in _FOLDERS:
        for method_folder in level(source / folder, _PLACE, problems):
            method = "real" if label == REAL else printable(method_folder.name)
            for quality_folder in level(method_folder, _PLACE, problems):
                if quality_folder.name.casefold() in _EXTRAS:
                    continue
                quality = printable(quality_folder.name)
                for path, name in _files(quality_folder, problems):
                    stem = PurePath(name).name
                    identities = _identities(stem, label)
                    split = _official_split(path, identities, official)
                    key = f"{NAME}/{method}/{quality}/{printable(name)}"
                    mask = _mask(quality_folder, path, stem) if label == FAKE else None
                    video = Video(key, path, label, method, quality, identities, split, mask=mask)
                    original = stem if label == REAL else _original(stem)
                    named.append((video, (quality, original) if original else None))
    return DataSetIndex(NAME, NAME, distinct(add_originals(named)), tuple(problems))


def _compare(source: Path, found: DataSetIndex) -> Sequence[Difference]:
    """Return the differences between the split lists and each quality of each method.

    The actors of DFD are in no list.
    """
    pairs = [pair for split in SPLITS for pair in _read_pairs(source, split)]
    reals = {identity for pair in pairs for identity in pair}
    fakes = {"_".join(made) for pair in pairs for made in itertools.permutations(pair, 2)}
    there: dict[tuple[str, str], set[str]] = {}
    for video in found.videos:
        if not video.identities[0].startswith("actor "):
            there.setdefault((video.method, video.quality), set()).add(video.path.stem)
    differences: list[Difference] = []
    for (method, quality), names in there.items() if pairs else ():
        listed, others = (reals, fakes) if method == "real" else (fakes, reals)
        for kind, some in (
            (MISSING, listed - names),
            (EXTRA, names - listed - others),
            (MISLABELLED, names & others),
        ):
            place = [f"{method}/{quality}/{name}" for name in some]
            differences += list_differences(source, kind, place)
    return differences


def _mask(quality: Path, path: Path, stem: str) -> Path | None:
    """Return the mask of a fake: one video for all qualities, or frames beside its frames."""
    place = quality.parent / "masks" / "videos" / f"{stem}.mp4"
    if path.is_dir():
        place = quality / "masks" / stem
    return place if is_clip(place) else None


def _files(folder: Path, problems: list[Quarantined]) -> Iterator[tuple[Path, str]]:
    """Yield the files of a quality folder and their names without ending.

    The folder ``videos/`` may be left out. Without videos, folders of frames are read.
    """
    below = folder / "videos"
    whole = below.is_dir()
    below = below if whole else folder
    found = candidates(files(below, problems, recursive=whole), folder, problems)
    beside = subfolders(folder)
    frames = [] if found else frame_folders(folder, problems)
    yield from ((path, path.name) for path in frames)
    if not found and not frames and not whole and beside:
        reason = f"no videos/ or frames/ in it, only {quote(beside[0].name)}/"
        problems.append(Quarantined(str(folder), "index", reason))
    for path in found:
        yield path, path.relative_to(below).with_suffix("").as_posix()


def _identities(name: str, label: int) -> tuple[str, ...]:
    """Return target and donor of ``AAA_BBB``, also in longer names such as ``AAA_BBB_result``.

    A fake of the actors, ``24_23__scene__X``, has the real ``24__scene``.

    Of the actors ``24_23__scene__X``, reals ``24__scene``.
    """
    name = printable(name)
    actors = re.match(r"(\d+)_(\d+)__" if label == FAKE else r"(\d+)__", name)
    if actors:
        return tuple(f"actor {number}" for number in actors.groups())
    pair = _PAIR.fullmatch(name) if label == FAKE else None
    return pair.groups() if pair else (name,)


def _original(name: str) -> str | None:
    """Return the name of a fake's real: ``AAA`` of ``AAA_BBB``, ``24__scene`` of the actors.

    None if the name of the fake has none.
    """
    actors = re.fullmatch(r"(\d+)_\d+__(.+)__[^_]+", name)
    if actors:
        return "__".join(actors.groups())
    pair = _PAIR.fullmatch(name)
    return pair[1] if pair else None


def _official_splits(source: Path) -> dict[str, str]:
    """Read the split of every identity in the official lists; empty without lists."""
    official: dict[str, str] = {}
    for split in SPLITS:
        for identity in (each for pair in _read_pairs(source, split) for each in pair):
            if official.setdefault(identity, split) != split:
                raise UserError(
                    f"{quote(source)}: identity {identity} is in two official splits, "
                    f"{official[identity]} and {split}; correct the split lists"
                )
    return official


def _read_pairs(source: Path, split: str) -> list[list[str]]:
    """Read the pairs of a split; none without its list."""
    places = (folder / f"{split}.json" for folder in (source, source / "splits"))
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return []
    try:
        pairs = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"split list {quote(path)} is damaged: {quote(str(error))}; replace it or remove it"
        ) from None
    valid = isinstance(pairs, list) and all(
        isinstance(pair, list) and all(isinstance(identity, str) for identity in pair)
        for pair in pairs
    )
    if not valid:
        raise UserError(
            f"split list {quote(path)} is damaged: expected a list of pairs such as "
            '["071", "054"]; replace it or remove it'
        )
    return list(pairs)


def _official_split(
    path: Path, identities: tuple[str, ...], official: dict[str, str]
) -> str | None:
    splits = sorted({official[identity] for identity in identities if identity in official})
    if len(splits) > 1:
        raise UserError(
            f"{quote(path)} shows people of two official splits, {' and '.join(splits)}; "
            "remove the video or correct the split lists"
        )
    return splits[0] if splits else None


LAYOUT = Layout(
    NAME,
    "original_sequences/ and manipulated_sequences/ (FaceForensics++)",
    _detect,
    _read,
    _compare,
)
