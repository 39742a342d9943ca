"""Attributes of clips and the spans of their manipulation: two optional parts of a store."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import h5py
import numpy as np
import numpy.typing as npt

from data_prep.store.format import Clip
from data_prep.store.verify_report import Report, read_texts
from data_prep.text import printable

_ATTRIBUTES, _SPANS = "clips/attributes", "clips/spans"
_TEXT = h5py.string_dtype("utf-8")


def write_annotations(file: h5py.File, clips: Sequence[Clip]) -> None:
    """Write the attributes that any clip has, and the spans if any clip has them."""
    named = [{_name(name): text for name, text in clip.attributes.items()} for clip in clips]
    for name in sorted({name for attributes in named for name in attributes}):
        values = [_text(attributes.get(name, "")) for attributes in named]
        file.create_dataset(f"{_ATTRIBUTES}/{name}", data=values, dtype=_TEXT)
    if any(clip.spans is not None for clip in clips):
        texts = ["" if clip.spans is None else json.dumps(clip.spans) for clip in clips]
        file.create_dataset(_SPANS, data=texts, dtype=_TEXT)


def read_attributes(files: Sequence[h5py.File]) -> dict[str, npt.NDArray[np.str_]]:
    """Return the attributes of all clips by name; an attribute that a clip lacks is empty."""
    names = {name for file in files for name in file.get(_ATTRIBUTES, ())}
    return {name: _joined(files, f"{_ATTRIBUTES}/{name}") for name in sorted(names)}


def read_spans(files: Sequence[h5py.File]) -> tuple[npt.NDArray[np.float64] | None, ...]:
    """Return the spans of every clip: start and end in seconds, float64 (n, 2), or None."""
    return tuple(_spans(text) for text in _joined(files, _SPANS).tolist())


def check_annotations(file: h5py.File, count: int, report: Report) -> None:
    """Add the faults of the attributes and the spans of a file to a report."""
    with report.reading(f"/{_ATTRIBUTES}"):
        for name in list(file.get(_ATTRIBUTES, ())):
            read_texts(file, f"{_ATTRIBUTES}/{name}", count, report)
    if _SPANS in file:
        bad = [not _is_right(text) for text in read_texts(file, _SPANS, count, report) or ()]
        report.add_rows(f"/{_SPANS}", bad, "is no list of [start, end] in seconds")


def _name(name: str) -> str:
    """Return a name as HDF5 can hold it: a slash would make a group, a dot means the group."""
    return _text(name).replace("/", "_").strip(".") or "unnamed"


def _text(text: str) -> str:
    return printable(text).replace("\0", "\\x00")


def _joined(files: Sequence[h5py.File], name: str) -> npt.NDArray[np.str_]:
    """Return the texts of all files; the clips of a file without the dataset have empty ones."""
    values: list[str] = []
    for file in files:
        count = len(file["label"])
        values += [str(text) for text in file[name].asstr()[...]] if name in file else [""] * count
    return np.array(values, np.str_)


def _spans(text: str) -> npt.NDArray[np.float64] | None:
    return np.array(json.loads(text), np.float64).reshape(-1, 2) if text else None


def _is_right(text: str) -> bool:
    try:
        spans = _spans(text)
    except (ValueError, TypeError):
        return False
    return spans is None or all(
        math.isfinite(end) and 0 <= start <= end for start, end in spans.tolist()
    )
