"""Originals of fakes."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path

from data_prep.layouts.layout import Video
from data_prep.store.format import FAKE, REAL


def add_originals(named: Iterable[tuple[Video, Hashable | None]]) -> Iterator[Video]:
    """Yield the videos, fakes with their originals.

    Args:
        named: videos, each with a name: a real with its own, a fake with that of its original or
            None. A name shared by two reals identifies neither.
    """
    named = list(named)
    reals: dict[Hashable, list[Path]] = collections.defaultdict(list)
    for video, name in named:
        if video.label == REAL and name is not None:
            reals[name].append(video.path)
    for video, name in named:
        found = reals.get(name, []) if video.label == FAKE else []
        yield dataclasses.replace(video, original=found[0]) if len(found) == 1 else video
