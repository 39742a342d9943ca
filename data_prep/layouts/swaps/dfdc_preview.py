"""DFDC preview (Dolhansky et al., 2019).

``dataset.json`` maps paths such as ``original_videos/643049/643049_A_001.mp4`` and
``method_B/1260311/1260311_C/1255229_1260311_C_001.mp4`` to ``{"label": "fake", "set": "train",
"target_id": "1260311", "swapped_id": "1255229"}``. Subjects are the two ids and the numbers a
file name begins with. No name identifies the clip of the target that a fake was made from.
"""

from __future__ import annotations

import itertools
from pathlib import Path, PurePath
from typing import Any

from data_prep.errors import UserError
from data_prep.layouts.files import differences, distinct, is_file, listed_path, quote
from data_prep.layouts.frames import frames_of
from data_prep.layouts.kinds import one_kind
from data_prep.layouts.layout import DataSetIndex, Layout, Video
from data_prep.layouts.tables import is_labelled_json, read_json, read_label
from data_prep.store.format import FAKE, Quarantined
from data_prep.text import printable

NAME = "DFDC-preview"
_LIST = "dataset.json"
_IDS = ("target_id", "swapped_id")
# Validation is made of the training set, so that alone is no split.
_SPLITS = {"train": None, "test": "test"}


def _detect(source: Path) -> bool:
    path = source / _LIST
    return path.is_file() and is_labelled_json(path)


def _read(source: Path) -> DataSetIndex:
    path = source / _LIST
    problems: list[Quarantined] = []
    videos = []
    listed = []
    for name, entry in _entries(path).items():
        below = listed_path(name, source)
        if isinstance(below, str):
            reason = f"{quote(name)!r}: {below}"
            problems.append(Quarantined(str(path), "index", reason))
            continue
        path_of_frames = None if is_file(source / below) else frames_of(source, below)
        listed.append(path_of_frames.relative_to(source) if path_of_frames else below)
        if not path_of_frames and not is_file(source / below):
            continue
        video = _video(path_of_frames or source / below, below, entry)
        if isinstance(video, str):
            problems.append(Quarantined(str(source / below), "index", video))
        else:
            videos.append(video)
    differences(source, listed, path, problems)
    kept, stills = one_kind(videos, source, problems)
    return DataSetIndex(NAME, NAME, distinct(kept), tuple(problems), stills)


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    try:
        entries = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{quote(path)} is damaged: {quote(str(error))}; replace it") from None
    if not isinstance(entries, dict) or not all(isinstance(e, dict) for e in entries.values()):
        raise UserError(
            f'{quote(path)} is damaged: expected entries such as {{"method_A/1/1_A/2_1_A_001.mp4": '
            '{"label": "fake", "set": "train"}}; replace it'
        )
    return entries


def _video(path: Path, below: PurePath, entry: dict[str, Any]) -> Video | str:
    """Return the video of one entry, or the reason why it cannot be used."""
    label = read_label(str(entry.get("label", "")))
    if label is None:
        return f"its label in {_LIST} is {quote(str(entry.get('label')))!r}, not real or fake"
    part = str(entry.get("set", "")).casefold()
    if part not in _SPLITS:
        return f"its set in {_LIST} is {quote(str(entry.get('set')))!r}, not train or test"
    stem = printable(below.stem)
    method = printable(below.parts[0]) if len(below.parts) > 1 else "fake"
    method = method if label == FAKE else "real"
    return Video(
        key=f"{NAME}/{method}/unknown/{stem}",
        path=path,
        label=label,
        method=method,
        quality="unknown",
        identities=_subjects(stem, entry) or (stem,),
        split=_SPLITS[part],
    )


def _subjects(stem: str, entry: dict[str, Any]) -> tuple[str, ...]:
    stated = [printable(str(entry[name])) for name in _IDS if entry.get(name) is not None]
    leading = itertools.takewhile(str.isdecimal, stem.split("_"))
    return tuple(dict.fromkeys(f"subject {number}" for number in (*stated, *leading) if number))


LAYOUT = Layout(NAME, "dataset.json (DFDC preview)", _detect, _read)
