"""The interface of a layout and its index of a folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from data_prep.errors import UserError
from data_prep.store.format import LABELLED, Quarantined


class MislabelledError(UserError):
    """A list that contradicts the folder of a video, or another list, about its label."""


@dataclasses.dataclass(frozen=True)
class Video:
    """One video of a data set, not yet opened.

    Attributes:
        key: unique name, ``data set/method/quality/name``.
        path: the file.
        label: 0 real, 1 fake.
        method: manipulation method, ``real`` for reals.
        quality: compression level as the data set names it, or ``unknown``.
        identities: Known people in it: the target, then the donor.
        split: the official ``train``, ``val`` or ``test``, or None.
        original: path of the real that a fake was made of, in the same quality and in the same
            index. It is None if the data set does not name it or lacks it.
        attributes: further facts of the data set by name, such as sex or language.
        spans: start and end in seconds of each manipulated part, empty for a real. It is None if
            the data set does not name them.
        mask: path of the mask of its manipulated pixels, None if there is none.
        source: name of its source, the data set where the store has one source alone.
        role: :data:`data_prep.store.format.LABELLED` or ``REAL_ONLY``.
        weight: frequency of its people in training, relative to people of other sources.
        still: whether it is a picture.
        pinned: split that the user names for its people, or None.
        kept: split that it has in an existing store, or None.
    """

    key: str
    path: Path
    label: int
    method: str
    quality: str
    identities: tuple[str, ...]
    split: str | None = None
    original: Path | None = None
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    spans: tuple[tuple[float, float], ...] | None = None
    mask: Path | None = None
    source: str = ""
    role: str = LABELLED
    weight: float = 1.0
    still: bool = False
    pinned: str | None = None
    kept: str | None = None


MISSING, EXTRA = "listed but missing", "present but not listed"
MISLABELLED = "labelled otherwise"


@dataclasses.dataclass(frozen=True)
class Difference(Quarantined):
    """Difference between a list of the data set and the folder.

    Attributes:
        kind: ``MISSING``, ``EXTRA`` or ``MISLABELLED``.
        names: of the videos, sorted.
    """

    kind: str
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class DataSetIndex:
    """Content of a source folder.

    Attributes:
        layout: name of the layout it was read as.
        name: name of the data set.
        videos: every candidate, by key; a file of unknown ending is one too, and is opened.
        problems: files that cannot be candidates, with the reason.
        differences: differences between lists of the data set and the folder; each is a problem
            too.
        stills: whether every candidate is a picture, a clip of one frame; otherwise all are videos.
    """

    layout: str
    name: str
    videos: tuple[Video, ...]
    problems: tuple[Quarantined, ...]
    stills: bool = False
    differences: tuple[Difference, ...] = ()


@dataclasses.dataclass(frozen=True)
class Layout:
    """One way of laying out a data set.

    Attributes:
        name: name of the layout.
        expected: its distinctive files, for the message when nothing fits.
        detect: whether a folder has this layout.
        compare: returns differences to official lists that do not matter to a preparation.
        read: the folder's index.
    """

    name: str
    expected: str
    detect: Callable[[Path], bool]
    read: Callable[[Path], DataSetIndex]
    compare: Callable[[Path, DataSetIndex], Sequence[Difference]] | None = None
