"""DeepfakeBench (Yan et al., 2023): JSON files that list the frames of videos of any data set.

``simswap_ff.json``, at the root or in ``dataset_json/``, has data set, label, split and video, one
inside the other: ``{"simswap_ff": {"simswap_Fake": {"test": {"071_054": {"label": "simswap_Fake",
"frames": [...]}}}}}``. Below a split there can be a level of compressions or methods. The paths of
frames are those of their author's machine, so a folder of frames is found by the end of its path.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_prep.errors import UserError
from data_prep.layouts.files import distinct, files, list_differences, quote
from data_prep.layouts.frame_sets.listed_frames import FramePlaces
from data_prep.layouts.frame_sets.names import identities, with_named_originals
from data_prep.layouts.kinds import one_kind
from data_prep.layouts.layout import MISSING, DataSetIndex, Layout, MislabelledError, Video
from data_prep.layouts.tables import read_json
from data_prep.store.format import FAKE, REAL, SPLITS, Quarantined
from data_prep.text import printable

NAME = "DeepfakeBench"
_FOLDERS = ("", "dataset_json", "preprocessing/dataset_json")
# The beginning of such a file; whole files have up to hundreds of megabytes.
_BEGINNING = re.compile(rb'\s*\{\s*"[^"]+"\s*:\s*\{\s*"[^"]+"\s*:\s*\{\s*"(?:train|val|test)"\s*:')
_METHODS = {
    "ff-df": "Deepfakes",
    "ff-f2f": "Face2Face",
    "ff-fs": "FaceSwap",
    "ff-nt": "NeuralTextures",
    "ff-fh": "FaceShifter",
    "ff-sh": "FaceShifter",
    "dfd_fake": "DeepFakeDetection",
    "dfdcp_fakea": "method_A",
    "dfdcp_fakeb": "method_B",
}
_DOMAINS = re.compile(r"(.+)_(ff|cdf|c23|c40)", flags=re.DOTALL)
_COMPRESSIONS = frozenset({"raw", "c0", "c23", "c40"})


@dataclasses.dataclass(frozen=True)
class _Listed:
    """A video of a JSON file.

    Attributes:
        name: of the video.
        label_text: its label as written.
        method: manipulation method, if it was a fake.
        quality: compression or domain, or ``unknown``.
        frames: paths of the frames as written.
        splits: that list it.
    """

    name: str
    label_text: str
    method: str
    quality: str
    frames: tuple[str, ...]
    splits: set[str]


def _lists(source: Path) -> list[Path]:
    found: list[Path] = []
    for name in _FOLDERS:
        if (source / name).is_dir():
            jsons = (path for path in files(source / name, [], recursive=False))
            found += [path for path in jsons if path.suffix.casefold() == ".json" and _begins(path)]
    return found


def _begins(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _BEGINNING.match(file.read(4096)) is not None
    except OSError:
        return False


def _detect(source: Path) -> bool:
    return bool(_lists(source))


def _read(source: Path) -> DataSetIndex:
    problems: list[Quarantined] = []
    places = FramePlaces(source)
    # By path: DF40 lists the reals of FaceForensics++ again for every method.
    found: dict[Path, tuple[Video, str]] = {}
    for path in _lists(source):
        for video, name in _videos(path, places, problems):
            known = found.get(video.path)
            if known is None:
                found[video.path] = (video, name)
            elif known[0].label != video.label:
                raise MislabelledError(
                    f"{quote(source)}: {quote(video.path)} is real in one JSON file and fake in "
                    f"another, {quote(path.name)}; remove the wrong one"
                )
            else:
                split = _later(known[0].split, video.split)
                found[video.path] = (dataclasses.replace(known[0], split=split), name)
    kept, stills = one_kind([video for video, _ in found.values()], source, problems)
    videos = with_named_originals([(video, found[video.path][1]) for video in kept])
    return DataSetIndex(NAME, NAME, distinct(videos), tuple(problems), stills)


def _videos(
    path: Path, places: FramePlaces, problems: list[Quarantined]
) -> Iterator[tuple[Video, str]]:
    """Yield the videos of a JSON file that exist, and their names."""
    listed = _entries(path)
    everywhere = all(entry.splits >= {"train", "test"} for entry in listed)
    # Pictures of several entries in one folder are no video.
    shared = collections.Counter(
        places.folder_of(entry.frames[0]) for entry in listed if entry.frames
    )
    absent, unknown = [], []
    for entry in listed:
        label = _label(entry.label_text)
        if label is None:
            unknown.append(entry.label_text)
            continue
        several = not entry.frames or shared[places.folder_of(entry.frames[0])] == 1
        paths = [places.find_folder(entry.frames)] if several else places.find_files(entry.frames)
        if not any(paths):
            absent.append(entry.name)
        for at in filter(None, paths):
            name = entry.name if several else f"{entry.name}/{at.stem}"
            method = "real" if label == REAL else entry.method
            video = Video(
                key=f"{NAME}/{method}/{entry.quality}/{printable(name)}",
                path=at,
                label=label,
                method=method,
                quality=entry.quality,
                identities=identities(entry.name),
                split=None if everywhere else _split(entry.splits),
            )
            yield video, entry.name
    problems += list_differences(path, MISSING, absent)
    if unknown:
        reason = (
            f"labels that are neither real nor fake: {len(unknown)}, e.g. {quote(min(unknown))}"
        )
        problems.append(Quarantined(str(path), "index", reason))


def _entries(path: Path) -> list[_Listed]:
    """Read the videos of a JSON file; one of several splits is one video.

    Raises:
        UserError: it is damaged.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{quote(path)} is damaged: {quote(str(error))}; replace it") from None
    found: dict[tuple[str, ...], _Listed] = {}
    for data_set, labels in content.items():
        for kind, splits in _level(path, labels):
            for split, videos in _level(path, splits):
                for levels, name, entry in _leaves(path, videos):
                    label_text = str(entry.get("label", kind))
                    frames = tuple(each for each in entry["frames"] if isinstance(each, str))
                    where = (data_set, kind, *levels, name)
                    method, quality = _method(data_set, label_text, levels, len(labels))
                    new = _Listed(name, label_text, method, quality, frames, set())
                    found.setdefault(where, new).splits.add(split.casefold())
    return list(found.values())


def _level(path: Path, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise UserError(
            f"{quote(path)} is damaged: expected data set, label, split and video, one inside the "
            "other; replace it"
        )
    yield from value.items()


def _leaves(
    path: Path, value: Any, levels: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, dict[str, Any]]]:
    for name, entry in _level(path, value):
        if isinstance(entry, dict) and isinstance(entry.get("frames"), list):
            yield levels, name, entry
        elif levels or not isinstance(entry, dict):
            # The DFDC list of some versions has a stray entry in place of videos.
            continue
        else:
            yield from _leaves(path, entry, (name,))


def _method(data_set: str, label_text: str, levels: tuple[str, ...], kinds: int) -> tuple[str, str]:
    """Return the method of a fake and its quality."""
    named = _DOMAINS.fullmatch(data_set)
    base, quality = (named[1], named[2]) if named else (data_set, "unknown")
    method = _METHODS.get(label_text.casefold())
    for level in levels:
        if level.casefold() in _COMPRESSIONS:
            quality = level
        else:
            method = level
    # With one kind of fakes the data set names it; its label can be that of another data set.
    method = method or (base if kinds <= 2 else re.sub("(?i)_?fake", "", label_text)) or "fake"
    return printable(method).replace("/", "_"), printable(quality)


def _label(label_text: str) -> int | None:
    words = label_text.casefold()
    if ("real" in words) != ("fake" in words):
        return REAL if "real" in words else FAKE
    return FAKE if words in _METHODS else None


def _split(splits: set[str]) -> str | None:
    """Return the split of a video in several: some lists repeat test as val, or all in train."""
    for split in ("test", "train", "val"):
        if split in splits:
            return split
    return None


def _later(one: str | None, other: str | None) -> str | None:
    """Return the split for a video that two files list: in doubt it is not trained on."""
    given = [split for split in (one, other) if split]
    return max(given, key=SPLITS.index) if given else None


LAYOUT = Layout(NAME, "dataset_json/*.json with lists of frames (DeepfakeBench)", _detect, _read)
