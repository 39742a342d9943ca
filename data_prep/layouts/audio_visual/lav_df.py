"""LAV-DF (Cai et al., 2022) and AV-Deepfake1M with its ++ (Cai et al., 2024 and 2025).

A JSON list has every video with the seconds that were manipulated. LAV-DF has ``metadata.json``
or ``metadata.min.json`` and videos ``train/000001.mp4``. AV-Deepfake1M has ``train_metadata.json``
and ``val_metadata.json`` and videos ``train/id00012/abc/00001/real.mp4``. A video without
manipulated seconds is real.
"""

from __future__ import annotations

import codecs
import functools
import math
from pathlib import Path, PurePath
from typing import Any

from data_prep.layouts.audio_visual.modified import MODIFIED, PARTS, category_name
from data_prep.layouts.files import distinct, files, is_file, list_differences, listed_path, quote
from data_prep.layouts.kinds import is_video
from data_prep.layouts.layout import EXTRA, MISSING, DataSetIndex, Layout, Video
from data_prep.layouts.originals import add_originals
from data_prep.layouts.tables import read_json_rows
from data_prep.store.format import FAKE, REAL, Quarantined
from data_prep.text import printable

NAME, MILLION_NAME = "LAV-DF", "AV-Deepfake1M"
# The fuller lists first.
_LISTS = {
    NAME: (("metadata.json",), ("metadata.min.json",)),
    MILLION_NAME: (("train_metadata.json", "val_metadata.json"),),
}
# The labels of the test set of AV-Deepfake1M are not published, so its val is tested on.
_SPLITS = {
    NAME: {"train": "train", "dev": "val", "val": "val", "test": "test"},
    MILLION_NAME: {"train": "train", "val": "test"},
}
_SPANS = ("fake_periods", "fake_segments")
_TYPES = {
    "real": (False, False),
    "visual_modified": (True, False),
    "audio_modified": (False, True),
    "both_modified": (True, True),
}
_MODELS = ("video_model", "audio_model")
_CORPORA = frozenset({"vox_celeb_2", "lrs3", "silent_videos"})
_LONGEST_BEGINNING = 2**16


def _lists(source: Path, name: str) -> list[Path]:
    kinds = ([source / file for file in kind] for kind in _LISTS[name])
    found = ([path for path in paths if _begins(path)] for paths in kinds)
    # DFDC has a list of the same name; beside dev/ it is of LAV-DF, even if it is damaged.
    own = source / _LISTS[NAME][0][0]
    damaged = [own] if name == NAME and (source / "dev").is_dir() and is_file(own) else []
    return next((paths for paths in found if paths), damaged)


def _begins(path: Path) -> bool:
    """Return whether a file begins as a list of videos with manipulated seconds."""
    # Opening a pipe would wait for someone to write to it.
    if not is_file(path):
        return False
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_BEGINNING).removeprefix(codecs.BOM_UTF8).lstrip()
    except OSError:
        return False
    named = b'"file"' in content and any(f'"{key}"'.encode() in content for key in _SPANS)
    return content.startswith(b"[") and named


def _detect(source: Path, name: str) -> bool:
    return bool(_lists(source, name))


def _read(source: Path, name: str) -> DataSetIndex:
    problems: list[Quarantined] = []
    named: list[tuple[Video, PurePath | None]] = []
    listed: set[Path] = set()
    for path in _lists(source, name):
        absent: list[str] = []
        unusable: list[str] = []
        for row in read_json_rows(path):
            found = _video(source, row, path, name)
            if isinstance(found, str):
                unusable.append(found)
            elif is_file(found[0].path):
                named.append(found)
                listed.add(found[0].path)
            else:
                absent.append(str(found[0].path.relative_to(source)))
        if unusable:
            reason = f"rows that cannot be used: {len(unusable)}, e.g. {min(unusable)}"
            problems.append(Quarantined(str(path), "index", reason))
        problems += list_differences(path, MISSING, absent)
    there = (path for path in files(source, problems, recursive=True) if is_video(path))
    unlisted = [str(path.relative_to(source)) for path in there if path not in listed]
    problems += list_differences(source, EXTRA, unlisted)
    return DataSetIndex(name, name, distinct(add_originals(named)), tuple(problems))


def _video(
    source: Path, row: dict[str, Any], path: Path, name: str
) -> tuple[Video, PurePath | None] | str:
    """Return the video of a row and the name of its original, or why it cannot be used."""
    said = row.get("file")
    below = listed_path(said, source) if isinstance(said, str) else "no file"
    spans = _read_spans(next((row[key] for key in _SPANS if key in row), None))
    if isinstance(below, str) or spans is None:
        return f"{quote(str(said))!r}: {below if isinstance(below, str) else 'no list of spans'}"
    split = str(row.get("split") or path.name.partition("_")[0])
    folder = PurePath() if name == NAME else PurePath(split)
    parts = _parts(row, bool(spans))
    label = FAKE if spans else REAL
    method = _method(row, parts) if spans else "real"
    original = row.get("original") if spans else said
    video = Video(
        key=f"{name}/{method}/unknown/{printable(str(below.with_suffix('')))}",
        path=source / folder / below,
        label=label,
        method=method,
        quality="unknown",
        identities=(_person(below, original if isinstance(original, str) else None, name),),
        split=_SPLITS[name].get(split),
        attributes={
            MODIFIED: PARTS[parts],
            **{key: printable(str(row[key])) for key in _MODELS if row.get(key)},
        },
        spans=spans,
    )
    return video, folder / original if isinstance(original, str) else None


def _read_spans(value: Any) -> tuple[tuple[float, float], ...] | None:
    """Return spans in seconds, in their order; None if they are no list of start and end."""
    try:
        spans = [(float(start), float(end)) for start, end in value]
    except (TypeError, ValueError):
        return None
    right = all(0 <= start <= end and math.isfinite(end) for start, end in spans)
    return tuple(sorted(spans)) if right else None


def _parts(row: dict[str, Any], is_fake: bool) -> tuple[bool, bool]:
    """Return whether picture and sound were changed."""
    if not is_fake:
        return False, False
    said = _TYPES.get(str(row.get("modify_type", "")).replace("-", "_"))
    return said or (bool(row.get("modify_video")), bool(row.get("modify_audio")))


def _method(row: dict[str, Any], parts: tuple[bool, bool]) -> str:
    model = row.get("video_model") if parts[0] else None
    return printable(str(model)).replace("/", "_") if model else category_name(*parts)


def _person(below: PurePath, original: str | None, name: str) -> str:
    """Return the speaker of AV-Deepfake1M; in LAV-DF, which names none, the original."""
    if name == NAME:
        return printable(PurePath(original).stem if original else below.stem)
    if below.parts[0] not in _CORPORA:
        return printable(below.parts[0])
    folder = below.parts[1] if len(below.parts) > 2 else below.stem
    # subject_3_<hash>_vid_1_2: a subject has several folders.
    person = "_".join(folder.split("_")[:2]) if folder.startswith("subject_") else folder
    return printable(f"{below.parts[0]} {person}")


LAYOUT = Layout(
    NAME,
    "metadata.json, a list with fake_periods (LAV-DF)",
    functools.partial(_detect, name=NAME),
    functools.partial(_read, name=NAME),
)
MILLION_LAYOUT = Layout(
    MILLION_NAME,
    "train_metadata.json or val_metadata.json, lists with fake_segments (AV-Deepfake1M)",
    functools.partial(_detect, name=MILLION_NAME),
    functools.partial(_read, name=MILLION_NAME),
)
