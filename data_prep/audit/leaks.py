"""Leaks of a store: people, files and pictures that lie in two splits at once."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Sequence

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

from data_prep.store.store import SPLITS, Store
from data_prep.video.video import sample_indices

GROUP, FILE, VIDEO, NAME, CONTENT = (
    "identity group",
    "source file",
    "source video",
    "video name",
    "near-identical content",
)

EXAMPLES = 3

# Frames of a clip that are hashed, and the distance, of 256 bits, up to which two are called the
# same picture. Measured on face crops of 128 px: JPEG of quality 30 moves a hash by at most 14
# bits, halving the resolution by 6; of 20 videos in two compression levels of FaceForensics++ the
# closest of the three frames lies within 22 bits in 18 (in the other two another face was
# followed). Different people are never closer than 60 in 362,376 pairs of stills and 70 in 4,428
# pairs of clips; other recordings of one person are not closer than 46.
_HASHED_FRAMES = 3
_HASH_SIDE = 16
_WORDS = _HASH_SIDE**2 // 64
_SAME_PICTURE = 24

# Grey levels; below this a picture shows nothing, and its hash is chance.
_FLAT = 2.0

# Hashes of a block of clips against those of another stay in the processor's cache.
_BLOCK = 256


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
        Example(f"{bits} of {_HASH_SIDE**2} bits differ", _one_of_each_split(store, (row, other)))
        for bits, row, other in sorted(closest)[:EXAMPLES]
    ]
    return Leak(CONTENT, False, count, tuple(examples))


def hash_clips(store: Store) -> npt.NDArray[np.uint64]:
    """Compute perceptual hashes of every clip, uint64 (N, frames, 4): 256 bits a frame.

    Frames are the centres of three equal spans of the clip, fewer where it is shorter. A flat
    picture has no hash: all its bits are 0.
    """
    chosen = np.unique(sample_indices(store.clip_shape[0], _HASHED_FRAMES))
    hashes = np.zeros((len(store), len(chosen), _WORDS), np.uint64)
    for row in range(len(store)):
        clip = store.read([row])[0]
        for number, at in enumerate(chosen):
            hashes[row, number] = _hash(clip[at, ..., 3])
    return hashes


def _hash(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    if grey.std() < _FLAT:
        return np.zeros(_WORDS, np.uint64)
    bits = imagehash.phash(Image.fromarray(grey), hash_size=_HASH_SIDE).hash
    return np.packbits(bits).view(np.uint64)


def near_pairs(
    hashes: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64]
) -> tuple[int, list[tuple[int, int, int]]]:
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
    for start in range(0, len(hashes), _BLOCK):
        for other_start in range(0, len(others), _BLOCK):
            bits = _distances(
                hashes[start : start + _BLOCK], others[other_start : other_start + _BLOCK]
            )
            near = np.argwhere(bits <= _SAME_PICTURE)
            if not len(near):
                continue
            count += len(near)
            found = bits[tuple(near.T)]
            for at in np.argsort(found, kind="stable")[:EXAMPLES]:
                row, other = near[at]
                closest.append((int(found[at]), start + int(row), other_start + int(other)))
            closest = sorted(closest)[:EXAMPLES]
    return count, closest


def _distances(
    hashes: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint16]:
    """Count the bits that differ in the closest frame, uint16 (M, K).

    Frames without a hash are far.
    """
    nearest = np.full((len(hashes), len(others)), _HASH_SIDE**2, np.uint16)
    for ours, theirs in zip(hashes.swapaxes(0, 1), others.swapaxes(0, 1), strict=True):
        bits = np.zeros(nearest.shape, np.uint16)
        for word in range(_WORDS):
            bits += np.bitwise_count(ours[:, None, word] ^ theirs[None, :, word])
        bits[~ours.any(axis=1)] = _HASH_SIDE**2
        bits[:, ~theirs.any(axis=1)] = _HASH_SIDE**2
        np.minimum(nearest, bits, out=nearest)
    return nearest
