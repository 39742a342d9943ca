"""Leaks of a store: people, files and pictures that lie in two splits at once."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from data_prep.store.store import SPLITS, Store
from data_prep.video.picture_hashes import BITS, Hashes, hash_clip, iterate_near

GROUP, FILE, VIDEO, NAME, CONTENT = (
    "identity group",
    "source file",
    "source video",
    "video name",
    "near-identical content",
)

EXAMPLES = 3


@dataclasses.dataclass(frozen=True)
class LeakedClip:
    """A clip and the split it is in."""

    split: str
    key: str


@dataclasses.dataclass(frozen=True)
class Example:
    """One thing that is in two splits.

    Attributes:
        what: the group, file, video or distance.
        clips: one in each split.
    """

    what: str
    clips: tuple[LeakedClip, ...]


@dataclasses.dataclass(frozen=True)
class Leak:
    """One way in which splits are not apart.

    Attributes:
        kind: kind of the shared items, :data:`GROUP`, :data:`FILE`, :data:`VIDEO`, :data:`NAME` or
            :data:`CONTENT`.
        certain: Whether the store itself states it; names and content are evidence.
        count: number of groups, files, videos, names or pairs of clips.
        examples: the first few.
    """

    kind: str
    certain: bool
    count: int
    examples: tuple[Example, ...]


def find_leaks(store: Store) -> tuple[Leak, ...]:
    """Find everything that lies in more than one split, the certain leaks first.

    Identity groups, files (SHA-256), source videos (path) and video names within one data set are
    compared as stored. Content is compared between splits only, by a perceptual hash of three
    frames of each clip: the pHash of ImageHash with 256 bits (Zauner, "Implementation and
    Benchmarking of Perceptual Image Hash Functions", 2010). The hash finds the same picture in
    another compression or scale, and neighbouring frames of one video. It does not find mirrored or
    differently cropped pictures.
    """
    names = np.array([_name(key) for key in store.keys])
    found = [
        _shared(store, GROUP, store.groups, certain=True),
        _shared(store, FILE, store.sha256, certain=True),
        _shared(store, VIDEO, store.paths, certain=True),
        _shared(store, NAME, names, certain=False, beyond=store.paths),
        _alike(store),
    ]
    return tuple(leak for leak in found if leak)


def _name(key: str) -> str:
    """Return data set and name of a key ``data set/method/quality/name``, or ""."""
    parts = key.split("/", 3)
    return f"{parts[0]}: {parts[3]}" if len(parts) == 4 else ""


def _shared(
    store: Store,
    kind: str,
    values: npt.NDArray[np.str_],
    *,
    certain: bool,
    beyond: npt.NDArray[np.str_] | None = None,
) -> Leak | None:
    """Find the values that clips of several splits share; an empty value is ignored.

    Args:
        store: store with the clips.
        kind: kind of the leak.
        values: value of each clip, (N,).
        certain: whether equal values prove a leak.
        beyond: Leave out values whose clips also share this; another finding reports them.
    """
    rows_of: dict[str, list[int]] = collections.defaultdict(list)
    for row, value in enumerate(values.tolist()):
        if value:
            rows_of[value].append(row)
    examples = []
    for value, rows in sorted(rows_of.items()):
        if len(set(store.splits[rows])) < 2:
            continue
        if beyond is not None and len(set(beyond[rows])) == 1:
            continue
        examples.append(Example(value, _one_of_each_split(store, rows)))
    if not examples:
        return None
    return Leak(kind, certain, len(examples), tuple(examples[:EXAMPLES]))


def _one_of_each_split(store: Store, rows: Sequence[int]) -> tuple[LeakedClip, ...]:
    first = {str(store.splits[row]): row for row in reversed(rows)}
    ordered = sorted(first, key=SPLITS.index)
    return tuple(LeakedClip(split, str(store.keys[first[split]])) for split in ordered)


def _alike(store: Store) -> Leak | None:
    sides = [rows for rows in map(store.rows, SPLITS) if len(rows)]
    if len(sides) < 2:
        return None
    hashes = hash_clips(store)
    count = 0
    closest: list[tuple[int, int, int]] = []
    for rows, others in itertools.combinations(sides, 2):
        pairs, nearest = near_pairs(hashes[rows], hashes[others])
        count += pairs
        closest += [(bits, int(rows[row]), int(others[other])) for bits, row, other in nearest]
    if not count:
        return None
    examples = [
        Example(f"{bits} of {BITS} bits differ", _one_of_each_split(store, (row, other)))
        for bits, row, other in sorted(closest)[:EXAMPLES]
    ]
    return Leak(CONTENT, False, count, tuple(examples))


def hash_clips(store: Store) -> Hashes:
    """Return perceptual hashes of every clip, uint64 (N, frames, 4), from the store or its frames.

    See :func:`data_prep.video.picture_hashes.hash_clip`.
    """
    if store.hashes is not None:
        return store.hashes
    return np.stack([hash_clip(store.read([row])[0]) for row in range(len(store))])


def near_pairs(hashes: Hashes, others: Hashes) -> tuple[int, list[tuple[int, int, int]]]:
    """Return pairs of clips that share a picture.

    Args:
        hashes: uint64 (M, frames, 4), from :func:`hash_clips`.
        others: uint64 (K, frames, 4).

    Returns:
        How many pairs there are, and the closest few as (bits that differ, position in hashes,
        position in others). Memory does not grow with the number of pairs.
    """
    count = 0
    closest: list[tuple[int, int, int]] = []
    for near in iterate_near(hashes, others):
        count += len(near)
        first = near[np.argsort(near[:, 2], kind="stable")[:EXAMPLES]].tolist()
        closest = sorted([*closest, *((bits, row, other) for row, other, bits in first)])[:EXAMPLES]
    return count, closest
