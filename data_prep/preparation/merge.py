"""Several stores joined in one, without decoding anything again."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from data_prep.errors import UserError
from data_prep.layouts.files import quote
from data_prep.layouts.layout import Video
from data_prep.preparation.alike import find_alike
from data_prep.preparation.checks import check_store_path
from data_prep.preparation.earlier import stored_videos
from data_prep.preparation.store_clips import find_hashes, video_key
from data_prep.splits.splits import identity_groups
from data_prep.store.clip_reader import ClipReader
from data_prep.store.format import Clip
from data_prep.store.store import Store
from data_prep.store.writer import write_store


@dataclasses.dataclass(frozen=True)
class MergeSummary:
    """Content of a merged store.

    Attributes:
        store: The store written.
        stores: Number of stores that were merged.
        clips: Clips in it.
        people: Identity groups in it.
        fingerprint: Fingerprint of its content.
    """

    store: Path
    stores: int
    clips: int
    people: int
    fingerprint: str


def merge_stores(
    paths: Sequence[Path], out: Path, *, shard_clips: int | None = None, overwrite: bool = False
) -> MergeSummary:
    """Write one store with the clips of several, which keep their splits.

    Clips of one person, copies of one file and clips that show the same picture are one identity
    group.

    Args:
        paths: At least two stores of the same settings.
        out: Store to write.
        shard_clips: Most clips a file; the store becomes a folder of files.
        overwrite: Whether an existing store is replaced.

    Raises:
        UserError: A store cannot be read, the stores differ in their settings, two have the same
            clip, or one person is in different splits of them.
    """
    if len(paths) < 2:
        raise UserError("a merge needs at least two stores")
    if out.resolve() in {path.resolve() for path in paths}:
        raise UserError(f"{quote(out)} is one of the stores to merge; name a new one")
    check_store_path(out, overwrite, shard_clips)
    with contextlib.ExitStack() as closing:
        stores = [closing.enter_context(Store(path)) for path in paths]
        _check_settings(stores)
        videos = [stored_videos(store) for store in stores]
        _check_keys(stores, videos)
        groups = _join_groups(stores, list(itertools.chain.from_iterable(videos)))
        methods = {video.key: video.method for ours in videos for video in ours}
        quarantine = [entry for store in stores for entry in store.quarantine]
        description = stores[0].preparation | {
            "layout": f"{len(stores)} stores",
            "synthetic": any(store.is_synthetic for store in stores),
            "sources": [one for store in stores for one in store.preparation.get("sources", ())],
        }
        clips = _iterate(stores, groups, methods)
        fingerprint = write_store(out, clips, quarantine, description, shard_clips=shard_clips)
        return MergeSummary(
            store=out,
            stores=len(stores),
            clips=sum(map(len, stores)),
            people=len(set(groups.values())),
            fingerprint=fingerprint,
        )


def _check_settings(stores: Sequence[Store]) -> None:
    first = stores[0]
    for store in stores[1:]:
        for name, ours, theirs in (
            ("settings", first.preparation.get("clip"), store.preparation.get("clip")),
            ("shapes", first.clip_shape, store.clip_shape),
            ("modalities", first.modalities, store.modalities),
            ("quantities", sorted(first.shortcuts), sorted(store.shortcuts)),
        ):
            if ours != theirs:
                raise UserError(
                    f"{quote(first.path)} and {quote(store.path)} have other {name}: {ours} and "
                    f"{theirs}; prepare both with the same ones"
                )


def _check_keys(stores: Sequence[Store], videos: Sequence[Sequence[Video]]) -> None:
    owner: dict[str, Store] = {}
    for store, ours in zip(stores, videos, strict=True):
        for video in ours:
            other = owner.setdefault(video.key, store)
            if other is not store:
                raise UserError(
                    f"{quote(other.path)} and {quote(store.path)} both have {video.key}; a clip "
                    "can be in one of them alone"
                )


def _join_groups(stores: Sequence[Store], videos: Sequence[Video]) -> Mapping[str, str]:
    """Return the identity group of every video by key; no group is in two splits."""
    hashes = {key: value for store in stores for key, value in find_hashes(store).items()}
    copies: dict[str, str] = {}
    same = find_alike(videos, hashes)
    for store in stores:
        for key, sha256 in zip(store.keys.tolist(), store.sha256.tolist(), strict=True):
            if sha256 and video_key(key) == key:
                same.append((copies.setdefault(sha256, key), key))
    groups = identity_groups(videos, same)
    first: dict[str, Video] = {}
    for video in videos:
        other = first.setdefault(groups[video.key], video)
        if other.kept != video.kept:
            raise UserError(
                f"{other.key} is in {other.kept} and {video.key} in {video.kept}, and they show "
                "the same person, or people joined by fakes; prepare their sources together instead"
            )
    return groups


def _iterate(
    stores: Sequence[Store], groups: Mapping[str, str], methods: Mapping[str, str]
) -> Iterator[Clip]:
    """Yield all clips in the order of their keys, one at a time."""
    readers = [ClipReader(store) for store in stores]
    ordered = sorted(
        (key, number, row)
        for number, store in enumerate(stores)
        for row, key in enumerate(store.keys.tolist())
    )
    for key, number, row in ordered:
        video = video_key(key)
        clip = readers[number](row)
        yield dataclasses.replace(clip, group=groups[video], method=methods[video])
