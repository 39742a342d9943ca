"""Writer of a store: one file, or a folder of shards."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from data_prep.errors import UserError
from data_prep.store.annotations import write_annotations
from data_prep.store.format import (
    FRAME_FIELDS,
    MODALITIES,
    SCHEMA_VERSION,
    SHARD_INDEX,
    TEXT_FIELDS,
    Clip,
    Quarantined,
    clip_digest,
    compute_fingerprint,
)
from data_prep.store.hdf5 import create_hdf5
from data_prep.store.origins import write_origins
from data_prep.text import printable

_TEXT = h5py.string_dtype("utf-8")


def write_store(
    path: Path,
    clips: Iterable[Clip],
    quarantine: Sequence[Quarantined],
    preparation: dict[str, Any],
    *,
    shard_clips: int | None = None,
) -> str:
    """Write a store and return its content fingerprint.

    Every file is written under a temporary name, flushed to disk and renamed. A store is therefore
    complete or missing, and a reader sees the old one until the new one is complete. Clips are read
    one at a time. They must come in the order of the file and share one shape.

    Args:
        path: the store to make; an existing one is replaced.
        clips: clips, at least one.
        quarantine: quarantined videos.
        preparation: settings that prepare another video the same way; stored as JSON.
        shard_clips: make ``path`` a folder of files with at most this many clips each.

    Raises:
        UserError: there is no clip, or a clip's arrays have another shape than the first's.
        OSError: the store cannot be written, as on a full disk; an existing one is kept.
    """
    if shard_clips is not None:
        return _write_shards(path, iter(clips), quarantine, preparation, shard_clips)
    temporary = _temporary(path)
    try:
        digests = _write_file(temporary, clips, quarantine, preparation)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
    return compute_fingerprint(digests)


def remove_unfinished(path: Path) -> None:
    """Remove the files of a killed writer; an existing store stays whole.

    No other process may write the store meanwhile.
    """
    _temporary(path).unlink(missing_ok=True)
    if path.is_dir():
        _remove_unnamed(path)


def is_store(path: Path) -> bool:
    """Return whether there is a file, or a folder with the index of its shards."""
    return path.is_file() or (path / SHARD_INDEX).is_file()


def is_unfinished(folder: Path) -> bool:
    """Return whether the folder holds shards of a killed writer and no index yet."""
    return _temporary(folder / SHARD_INDEX).exists() and not (folder / SHARD_INDEX).exists()


def _temporary(path: Path) -> Path:
    """Return one name for every writer: the rest of a killed writer is overwritten."""
    return path.with_name(f".{path.name}.tmp")


def _write_shards(
    folder: Path,
    clips: Iterator[Clip],
    quarantine: Sequence[Quarantined],
    preparation: dict[str, Any],
    shard_clips: int,
) -> str:
    """Write shards under new names, then the index that makes them the store."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(folder / SHARD_INDEX)
    # From now until it becomes the index it marks shards that are being written.
    temporary.touch()
    token = secrets.token_hex(4)
    digests: list[bytes] = []
    shards: list[dict[str, Any]] = []
    try:
        for first in clips:
            path = folder / f"shard-{len(shards):05d}-{token}.h5"
            shards.append({"file": path.name, "clips": 0})
            some = itertools.chain([first], itertools.islice(clips, shard_clips - 1))
            # The quarantine is stored once.
            written = _write_file(path, some, quarantine if len(shards) == 1 else (), preparation)
            shards[-1] |= {"clips": len(written), "fingerprint": compute_fingerprint(written)}
            digests += written
        if not shards:
            raise _no_clip()
        fingerprint = compute_fingerprint(digests)
        index = {"schema_version": SCHEMA_VERSION, "fingerprint": fingerprint, "shards": shards}
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(index, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        _sync(folder)
        temporary.replace(folder / SHARD_INDEX)
        _sync(folder)
        _sync(folder.parent)
    finally:
        _remove_unnamed(folder)
    return fingerprint


def _remove_unnamed(folder: Path) -> None:
    """Remove shards that are no part of the store: of the one it replaced, or unfinished.

    If the index is lost or damaged, all shards are kept: none is known to be useless.
    It is not lost where a writer had not come to write it.
    """
    named: set[str] = set()
    try:
        index = json.loads((folder / SHARD_INDEX).read_text(encoding="utf-8"))
        named = {shard["file"] for shard in index["shards"]}
        damaged = not named or not all((folder / name).is_file() for name in named)
    except FileNotFoundError:
        damaged = not is_unfinished(folder)
    except (ValueError, KeyError, TypeError, RecursionError):
        damaged = True
    if damaged:
        return
    for shard in folder.glob("shard-*.h5"):
        if shard.name not in named:
            shard.unlink()
    _temporary(folder / SHARD_INDEX).unlink(missing_ok=True)


def _write_file(
    path: Path,
    clips: Iterable[Clip],
    quarantine: Sequence[Quarantined],
    preparation: dict[str, Any],
) -> list[bytes]:
    """Write one HDF5 file and see it on the disk; the digest of every clip."""
    file = create_hdf5(path, libver="v110")
    try:
        digests = _fill(file, clips, quarantine, preparation)
        file.flush()
        file.close()
    except BaseException as error:
        # A full disk fails once more when the file is closed; the first error is the cause.
        with contextlib.suppress(Exception):
            file.close()
        # Late writes of h5py raise an error of a general kind.
        number = re.search(r"errno = (\d+)", str(error))
        if isinstance(error, RuntimeError) and number:
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
        raise
    _sync(path)
    return digests


def _fill(
    file: h5py.File,
    clips: Iterable[Clip],
    quarantine: Sequence[Quarantined],
    preparation: dict[str, Any],
) -> list[bytes]:
    digests: list[bytes] = []
    metadata: list[Clip] = []
    datasets: dict[str, h5py.Dataset] = {}
    for row, clip in enumerate(map(_storable, clips)):
        arrays = {"frames": clip.frames, **clip.modalities}
        if not datasets:
            datasets = {name: _growing(file, name, array) for name, array in arrays.items()}
        _check_shapes(clip.key, arrays, datasets)
        for name, dataset in datasets.items():
            dataset.resize(row + 1, axis=0)
            dataset[row] = arrays[name]
        ordered = [clip.frames, *(arrays[name] for name in MODALITIES if name in arrays)]
        digests.append(clip_digest(clip.key, clip.label, clip.group, clip.split, ordered))
        # A slice would keep the whole clip in memory.
        metadata.append(dataclasses.replace(clip, frames=np.empty(0, np.uint8), modalities={}))
    if not metadata:
        raise _no_clip()
    _fill_metadata(file, metadata)

    left_out = file.create_group("quarantine")
    for field in ("path", "step", "reason"):
        values = [_text(getattr(entry, field)) for entry in quarantine]
        left_out.create_dataset(field, data=values, shape=(len(values),), dtype=_TEXT)

    file.attrs["schema_version"] = SCHEMA_VERSION
    file.attrs["fingerprint"] = compute_fingerprint(digests)
    file.attrs["preparation"] = json.dumps(preparation, sort_keys=True)
    return digests


def _storable(clip: Clip) -> Clip:
    """Return the clip with texts that HDF5 can hold; its digest covers these."""
    texts: dict[str, Any] = {name: _text(getattr(clip, name)) for name in TEXT_FIELDS}
    return dataclasses.replace(clip, **texts)


def _text(text: str) -> str:
    """Return printable text without the zero that ends a text in HDF5."""
    return printable(text).replace("\0", "\\x00")


def _growing(file: h5py.File, name: str, array: np.ndarray[Any, Any]) -> h5py.Dataset:
    shape = array.shape
    return file.create_dataset(
        name, (0, *shape), array.dtype, maxshape=(None, *shape), chunks=(1, *shape)
    )


def _check_shapes(
    key: str, arrays: dict[str, np.ndarray[Any, Any]], datasets: dict[str, h5py.Dataset]
) -> None:
    if arrays.keys() != datasets.keys():
        raise UserError(f"clip {key}: has {', '.join(arrays)}, the store has {', '.join(datasets)}")
    for name, dataset in datasets.items():
        if arrays[name].shape != dataset.shape[1:]:
            raise UserError(
                f"clip {key}: {name} of shape {arrays[name].shape}, the store has "
                f"{dataset.shape[1:]}"
            )


def _fill_metadata(file: h5py.File, metadata: Sequence[Clip]) -> None:
    file["label"] = np.array([clip.label for clip in metadata], np.uint8)
    group = file.create_group("clips")
    for field in TEXT_FIELDS:
        group.create_dataset(field, data=[getattr(clip, field) for clip in metadata], dtype=_TEXT)
    for field in FRAME_FIELDS:
        group[field] = np.stack([getattr(clip, field) for clip in metadata])
    write_annotations(file, metadata)
    write_origins(file, metadata)
    hashes = [clip.hashes for clip in metadata if clip.hashes is not None]
    if len(hashes) == len(metadata):
        group["hashes"] = np.stack(hashes)
    group["coverage"] = np.array([clip.coverage for clip in metadata], np.float64)
    if all(clip.sound is not None for clip in metadata):
        group["sound"] = np.array([clip.sound for clip in metadata], np.uint8)
    for name in ("media", "shortcuts"):
        table = group.create_group(name)
        for column in getattr(metadata[0], name):
            values = [getattr(clip, name)[column] for clip in metadata]
            text = isinstance(values[0], str)
            table.create_dataset(column, data=values, dtype=_TEXT if text else None)


def _no_clip() -> UserError:
    return UserError("no clip to store: every video was quarantined")


def _sync(path: Path) -> None:
    """Flush a file's content to disk, or a folder's names if its file system can."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if not (path.is_dir() and error.errno in {errno.EINVAL, errno.ENOTSUP}):
            raise
    finally:
        os.close(handle)
