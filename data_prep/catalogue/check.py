"""Comparison of a data set on disk with its official lists and its published counts."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep import datasets
from data_prep.catalogue.known import data_sets
from data_prep.layouts.layout import (
    EXTRA,
    MISLABELLED,
    MISSING,
    DataSetIndex,
    Difference,
    MislabelledError,
)
from data_prep.store.format import LABEL_NAMES, Quarantined


@dataclasses.dataclass(frozen=True)
class Count:
    """Videos of one method in one quality.

    Attributes:
        label: ``real`` or ``fake``.
        method: Manipulation method.
        quality: Compression level.
        videos: Number in the folder.
        published: Published number, one a version; empty if it is not known.
    """

    label: str
    method: str
    quality: str
    videos: int
    published: tuple[int, ...]

    @property
    def absent(self) -> int:
        """Number of videos that the smallest fitting version has in addition."""
        larger = [number for number in self.published if number >= self.videos]
        return min(larger) - self.videos if larger else 0


@dataclasses.dataclass(frozen=True)
class Check:
    """Result of comparing a folder with the lists and counts of its data set.

    Attributes:
        folder: The folder.
        layout: Its data set, or None if a list contradicts the folder.
        counts: What the folder has, by method and quality.
        missing: Videos in a list and not in the folder.
        extra: Videos in the folder and in no list.
        mislabelled: Videos that a list and a folder label differently.
        contradiction: The list that contradicts the folder, or another list, so that no store
            can be prepared; otherwise empty.
        problems: What a preparation reports besides.
    """

    folder: Path
    layout: str | None
    counts: tuple[Count, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    mislabelled: tuple[str, ...] = ()
    contradiction: str = ""
    problems: tuple[Quarantined, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is missing and nothing is mislabelled.

        A method that is absent altogether is not missing.
        """
        faults = (self.missing, self.mislabelled, self.contradiction)
        return not any(faults) and not any(count.absent for count in self.counts)

    def to_json(self) -> dict[str, Any]:
        """Return the result as values for JSON."""
        whole = dataclasses.asdict(self)
        return whole | {"folder": str(self.folder), "whole": self.whole}


def check(folder: Path, layout: str = datasets.AUTO) -> Check:
    """Compare a folder with the official lists in it and the published counts.

    Videos are not opened.

    Args:
        folder: folder of the data set.
        layout: name of a layout, in any case, or ``auto`` for the first that fits.

    Raises:
        UserError: the folder does not exist, has no known layout or no video, or a list in it is
            damaged.
    """
    folder = folder.absolute()
    try:
        found = datasets.index(folder, layout)
    except MislabelledError as error:
        return Check(folder, None, contradiction=str(error))
    differences = (*found.differences, *datasets.compare(folder, found))
    stated = {each.reason for each in differences}
    return Check(
        folder,
        found.layout,
        _counts(found, synthetic=(folder / datasets.SYNTHETIC_MARKER).is_file()),
        _names(differences, MISSING),
        _names(differences, EXTRA),
        _names(differences, MISLABELLED),
        problems=tuple(problem for problem in found.problems if problem.reason not in stated),
    )


def _counts(found: DataSetIndex, *, synthetic: bool) -> tuple[Count, ...]:
    """Return the counts of a folder; nothing is published about a synthetic data set."""
    published: Mapping[str, tuple[int, ...]] = {}
    if not synthetic:
        published = next((each.counts for each in data_sets() if each.name == found.layout), {})
    videos = collections.Counter(
        (video.label, video.method, video.quality) for video in found.videos
    )
    return tuple(
        Count(LABEL_NAMES[label], method, quality, number, published.get(method, ()))
        for (label, method, quality), number in sorted(videos.items())
    )


def _names(differences: tuple[Difference, ...], kind: str) -> tuple[str, ...]:
    return tuple(sorted({name for each in differences if each.kind == kind for name in each.names}))
