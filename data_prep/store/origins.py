"""Sources of clips and their use, an optional part of a store.

Stores of earlier versions have none: each clip is then a labelled one of the data set in its key.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import h5py
import numpy as np
import numpy.typing as npt

from data_prep.store.format import LABELLED, ROLES, Clip
from data_prep.store.verify_report import Report, read_texts
from data_prep.text import printable

_SOURCE, _ROLE, _PEOPLE = "clips/source", "clips/role", "clips/identities"
_WEIGHT, _STILL = "clips/weight", "clips/still"
_TEXT = h5py.string_dtype("utf-8")


@dataclasses.dataclass(frozen=True)
class Origins:
    """Sources of N clips.

    Attributes:
        sources: str (N,), name of the source of each clip.
        roles: str (N,), ``labelled`` or ``real-only``.
        identities: People in each clip, the target first, then the donor.
        weights: float64 (N,), frequency of its people in training.
        stills: bool (N,), whether a clip is one picture, repeated.
        recorded: Whether the store names the people of every clip.
    """

    sources: npt.NDArray[np.str_]
    roles: npt.NDArray[np.str_]
    identities: tuple[tuple[str, ...], ...]
    weights: npt.NDArray[np.float64]
    stills: npt.NDArray[np.bool_]
    recorded: bool


def write_origins(file: h5py.File, clips: Sequence[Clip]) -> None:
    """Write the origins of the clips of a file."""
    people = [json.dumps([printable(one) for one in clip.identities]) for clip in clips]
    for name, texts in (
        (_SOURCE, [_text(clip.source or clip.key.partition("/")[0]) for clip in clips]),
        (_ROLE, [clip.role for clip in clips]),
        (
            _PEOPLE,
            [text if clip.identities else "" for text, clip in zip(people, clips, strict=True)],
        ),
    ):
        file.create_dataset(name, data=texts, dtype=_TEXT)
    file[_WEIGHT] = np.array([clip.weight for clip in clips], np.float64)
    file[_STILL] = np.array([clip.still for clip in clips], np.uint8)


def read_origins(files: Sequence[h5py.File]) -> Origins:
    """Read the origins of all clips of the files of a store."""
    found = [_read(file) for file in files]
    return Origins(
        sources=np.concatenate([one.sources for one in found]),
        roles=np.concatenate([one.roles for one in found]),
        identities=tuple(people for one in found for people in one.identities),
        weights=np.concatenate([one.weights for one in found]),
        stills=np.concatenate([one.stills for one in found]),
        recorded=all(one.recorded for one in found),
    )


def _read(file: h5py.File) -> Origins:
    count = len(file["label"])
    groups = _texts(file, "clips/group")
    if _SOURCE not in file:
        keys = _texts(file, "clips/key")
        return Origins(
            sources=np.array([key.partition("/")[0] for key in keys], np.str_),
            roles=np.full(count, LABELLED),
            identities=tuple((group,) for group in groups),
            weights=np.ones(count),
            stills=np.zeros(count, bool),
            recorded=False,
        )
    people = _texts(file, _PEOPLE)
    return Origins(
        sources=np.array(_texts(file, _SOURCE), np.str_),
        roles=np.array(_texts(file, _ROLE), np.str_),
        identities=tuple(
            _parse_people(text) or (group,) for text, group in zip(people, groups, strict=True)
        ),
        weights=np.asarray(file[_WEIGHT][...], np.float64),
        stills=np.asarray(file[_STILL][...], bool),
        recorded=all(people),
    )


def check_origins(file: h5py.File, count: int, report: Report) -> None:
    """Add to a report what is wrong with the origins of a file."""
    if _SOURCE not in file:
        return
    read_texts(file, _SOURCE, count, report)
    roles = read_texts(file, _ROLE, count, report) or ()
    report.add_rows(f"/{_ROLE}", [role not in ROLES for role in roles], "is no role")
    people = read_texts(file, _PEOPLE, count, report) or ()
    report.add_rows(
        f"/{_PEOPLE}", [_parse_people(text) is None for text in people], "is no list of people"
    )
    with report.reading(f"/{_WEIGHT}"):
        weights = np.asarray(file[_WEIGHT][...], np.float64)
        if weights.shape != (count,) or not (np.isfinite(weights) & (weights > 0)).all():
            report.add(f"/{_WEIGHT}", "a weight is no positive number")
    with report.reading(f"/{_STILL}"):
        if file[_STILL].shape != (count,):
            report.add(f"/{_STILL}", f"has the shape {file[_STILL].shape}, not ({count},)")


def _texts(file: h5py.File, name: str) -> list[str]:
    return [str(text) for text in file[name].asstr()[...]]


def _parse_people(text: str) -> tuple[str, ...] | None:
    """Return the people of a clip; none from an empty text, None if it is no list of names."""
    if not text:
        return ()
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names)


def _text(text: str) -> str:
    return printable(text).replace("\0", "\\x00")
