"""Clips of different sources that show the same picture: they belong to one identity group."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from data_prep.layouts.layout import Video
from data_prep.video.picture_hashes import Hashes, iterate_near


def find_alike(videos: Sequence[Video], hashes: Mapping[str, Hashes]) -> list[tuple[str, str]]:
    """Return the keys of two videos each that are of different sources and show the same picture.

    Args:
        videos: Videos of all sources.
        hashes: Perceptual hashes by key, uint64 (frames, 4); videos without hashes are ignored.
    """
    keys: dict[str, list[str]] = {}
    for video in videos:
        if video.key in hashes:
            keys.setdefault(video.source, []).append(video.key)
    found = []
    for ours, theirs in itertools.combinations(keys.values(), 2):
        first, second = (np.stack([hashes[key] for key in side]) for side in (ours, theirs))
        for near in iterate_near(first, second):
            found += [(ours[row], theirs[other]) for row, other, _ in near.tolist()]
    return found
