"""From fakes to the videos they were made from."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path

from data_prep.layouts.layout import Video
from data_prep.store.format import FAKE, REAL


def with_originals(named: Iterable[tuple[Video, Hashable | None]]) -> Iterator[Video]:
    """The videos, fakes with their originals.

    Args:
        named: videos, each with a name: of a real its own, of a fake its original's, None where
            that is not known. A name of two reals identifies neither.
    """
    named = list(named)
    reals: dict[Hashable, list[Path]] = collections.defaultdict(list)
    for video, name in named:
        if video.label == REAL and name is not None:
            reals[name].append(video.path)
    for video, name in named:
        found = reals.get(name, []) if video.label == FAKE else []
        yield dataclasses.replace(video, original=found[0]) if len(found) == 1 else video
