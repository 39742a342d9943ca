"""The HDF5 store: every prepared clip, its people and its split.

:mod:`data_prep.store.format` lists its fields.
"""

from __future__ import annotations

import bisect
import itertools
import os
import shlex
import stat
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.files import parse_json, read_text
from data_prep.store.annotations import read_attributes, read_spans
from data_prep.store.format import (
    CHANNELS,
    FAKE,
    MODALITIES,
    REAL,
    REAL_ONLY,
    SCHEMA_VERSION,
    SHARD_INDEX,
    SPLITS,
    Clip,
    Quarantined,
)
from data_prep.store.hdf5 import check_readable, open_hdf5, system_reason
from data_prep.store.objects import (
    ObjectError,
    check_attributes,
    check_fields,
    check_objects,
)
from data_prep.store.origins import Origins, read_origins
from data_prep.store.rows import Rows
from data_prep.store.writer import write_store
from data_prep.text import one_line

__all__ = [
    "CHANNELS",
    "FAKE",
    "REAL",
    "SCHEMA_VERSION",
    "SPLITS",
    "Clip",
    "Quarantined",
    "Store",
    "write_store",
]

# Errors of HDF5 and h5py on damaged files, and of values that no store has.
_DAMAGE = (
    *(KeyError, ValueError, OSError, TypeError, AttributeError, RuntimeError, OverflowError),
    *(MemoryError, ObjectError),
)


class Store:
    """A store opened for reading. Arrays stay on disk; everything else is small and in memory.

    A folder of shards is read as one store. Usable as a context manager.

    Args:
        path: the store file, or the folder of its shards.

    Attributes:
        labels: uint8 (N,).
        keys, methods, qualities, groups, splits, paths, sha256, crop_sources: str arrays (N,).
        coverage: float64 (N,).
        media: codec (str), width, height, frames, bytes (int64), fps and duration (float64) of
            the sources, (N,) each, by name.
        shortcuts: quantities that need no training, float64 (N,) each, by name.
        attributes: further facts of the data set, str (N,) each, by name; empty if unknown.
        spans: manipulated seconds of each clip, float64 (n, 2); None if unknown.
        origins: sources of the clips, their roles, weights and people.
        hashes: uint64 (N, at most 3, 4), perceptual hashes of some frames of each clip, or None.
        modalities: names of the optional arrays it has.
        quarantine: the videos left out.
        preparation: the configuration the clips were prepared with.
        fingerprint: content fingerprint, hexadecimal.

    Raises:
        UserError: there is no such store, or it is not one of this schema, or it is damaged, or it
            refers to other files or claims more memory than it has values for.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._files: list[h5py.File] = []
        self._arrays: dict[str, list[Rows]] = {}
        try:
            index = read_index(self.path)
            try:
                self._open_files(index)
            except UserError:
                # A store that is replaced meanwhile loses its shards; the new one has its own.
                replaced = read_index(self.path)
                if replaced == index:
                    raise
                index = replaced
                self._open_files(index)
            self._load(index)
        except UserError:
            self.close()
            raise
        except _DAMAGE as error:
            self.close()
            if reason := system_reason(error):
                raise UserError(f"{path} cannot be read: {reason}") from None
            what = one_line(str(error))
            raise UserError(f"{path} is not a store or is damaged: {what}") from None

    def _open_files(self, index: dict[str, Any] | None) -> None:
        self.close()
        self._files = []
        for shard in shard_paths(self.path, index):
            if index and not os.path.lexists(shard):
                raise UserError(f"{shard}, a shard of a store, is missing; prepare the store again")
            self._files.append(open_hdf5(shard))

    def _load(self, index: dict[str, Any] | None) -> None:
        for file in self._files:
            check_attributes(file)
            _check_schema(file)
            check_objects(file)
            check_fields(file)
        if index:
            _check_shards(index, self._files)
        first = self._files[0]
        self.modalities = tuple(name for name in MODALITIES if name in first)
        self._arrays = {
            name: [Rows(file[name]) for file in self._files]
            for name in ("frames", *self.modalities)
        }
        self.labels: npt.NDArray[np.uint8] = self._joined("label")
        self.keys = self.clip_field("key")
        self.methods = self.clip_field("method")
        self.qualities = self.clip_field("quality")
        self.groups = self.clip_field("group")
        self.splits = self.clip_field("split")
        self.paths = self.clip_field("path")
        self.sha256 = self.clip_field("sha256")
        self.crop_sources = self.clip_field("crop_source")
        self.coverage: npt.NDArray[np.float64] = self.clip_field("coverage")
        self.media = {name: self.clip_field(f"media/{name}") for name in first["clips/media"]}
        self.shortcuts: dict[str, npt.NDArray[np.float64]] = {
            name: self.clip_field(f"shortcuts/{name}") for name in first["clips/shortcuts"]
        }
        self.attributes = read_attributes(self._files)
        self.spans = read_spans(self._files)
        self.origins: Origins = read_origins(self._files)
        self.hashes: npt.NDArray[np.uint64] | None = (
            self.clip_field("hashes")
            if all("clips/hashes" in file for file in self._files)
            else None
        )
        left_out = [self._joined(f"quarantine/{field}") for field in ("path", "step", "reason")]
        self.quarantine = list(itertools.starmap(Quarantined, zip(*left_out, strict=True)))
        self.preparation: dict[str, Any] = _parse_preparation(first.attrs["preparation"])
        self.fingerprint = str(index["fingerprint"] if index else first.attrs["fingerprint"])
        lengths = [len(file["label"]) for file in self._files]
        for name, shards in self._arrays.items():
            if len({(rows.shape, rows.dtype) for rows in shards}) > 1:
                raise UserError(f"{self.path} is damaged: its shards have {name} of several shapes")
        self._starts = [0, *itertools.accumulate(lengths)][:-1]

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def __len__(self) -> int:
        return len(self.labels)

    def close(self) -> None:
        """Close the files; the metadata stays usable."""
        for rows in itertools.chain.from_iterable(self._arrays.values()):
            rows.close()
        for file in self._files:
            file.close()

    @property
    def is_synthetic(self) -> bool:
        """Whether the clips were drawn by a program, not filmed."""
        return bool(self.preparation.get("synthetic", False))

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """Shape of one clip, (T, H, W, 4)."""
        t, h, w, c = self._arrays["frames"][0].shape
        return int(t), int(h), int(w), int(c)

    @property
    def modality_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one clip's array for each of :attr:`modalities`."""
        return {name: tuple(self._arrays[name][0].shape) for name in self.modalities}

    @property
    def real_only(self) -> npt.NDArray[np.bool_]:
        """Whether each clip is material for pseudo-fakes alone, bool (N,)."""
        return self.origins.roles == REAL_ONLY

    def real_only_rows(self, split: str) -> npt.NDArray[np.int64]:
        """Return the row numbers of the real-only clips of a split, ascending."""
        return np.flatnonzero((self.splits == split) & self.real_only)

    def rows(self, split: str, label: int | None = None) -> npt.NDArray[np.int64]:
        """Return the row numbers of the labelled clips of a split, of one label if given.

        They ascend. Real-only clips are not among them.

        Raises:
            UserError: The split is unknown.
        """
        if split not in SPLITS:
            raise UserError(
                f"split must be {', '.join(SPLITS[:-1])} or {SPLITS[-1]}; received {split!r}"
            )
        wanted = (self.splits == split) & ~self.real_only
        if label is not None:
            wanted &= self.labels == label
        return np.flatnonzero(wanted)

    def read(
        self, rows: Sequence[int] | npt.NDArray[np.integer], name: str = "frames"
    ) -> npt.NDArray[Any]:
        """Read the clips of the rows in their order: frames, uint8 (len(rows), T, H, W, 4).

        Each clip is copied whole, if possible from the file's pages (:mod:`data_prep.store.rows`):
        HDF5's fancy indexing is hundreds of times slower.

        Args:
            rows: row numbers in any order; a row may appear twice.
            name: ``frames`` or one of :attr:`modalities`.

        Raises:
            UserError: The store has no such array.
            IndexError: It has no such row.
        """
        if name not in self._arrays:
            raise UserError(f"{self.path} has no {name}; it has {', '.join(self._arrays)}")
        shards = self._arrays[name]
        batch = np.empty((len(rows), *shards[0].shape), shards[0].dtype)
        for place, row in enumerate(map(int, rows)):
            shard = bisect.bisect_right(self._starts, row) - 1
            shards[shard].read_into(row - self._starts[shard], batch[place])
        return batch

    def clip_field(self, name: str) -> npt.NDArray[Any]:
        """Read all of ``/clips/<name>``, first axis N: boxes, landmarks, frame_times, ...

        Raises:
            UserError: The store has no such field, as one made by other programs.
        """
        if not all(f"clips/{name}" in file for file in self._files):
            raise UserError(
                f"{self.path} has no /clips/{name}; run dfsearch verify {self.path}, or prepare it "
                "again"
            )
        return self._joined(f"clips/{name}")

    def _joined(self, name: str) -> npt.NDArray[Any]:
        return np.concatenate([_values(file[name]) for file in self._files])


def read_index(path: Path) -> dict[str, Any] | None:
    """Read the index of a folder of shards, None if the store is one file.

    Raises:
        UserError: there is no store at the path, or the index is damaged.
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISDIR(kind):
            check_readable(path)
            return None
        missing = not (path / SHARD_INDEX).exists()
    except (FileNotFoundError, NotADirectoryError):
        missing = True
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    if missing:
        raise UserError(_no_store(path))
    check_readable(path / SHARD_INDEX)
    try:
        index = parse_json(read_text(path / SHARD_INDEX))
        version, shards = index["schema_version"], index["shards"]
        whole = shards and all(Path(shard["file"]).name == shard["file"] for shard in shards)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise UserError(f"{path / SHARD_INDEX} is damaged; prepare the store again")
    _check_version(path, version)
    return dict(index)


def _no_store(path: Path) -> str:
    """Return why there is no store at a path, and how to make one."""
    made = shlex.quote(str(path))
    if not path.is_dir():
        return f"no store at {path}; make one with: dfsearch prepare SOURCE {made}"
    name = shlex.quote(f"{path.resolve().name or 'store'}.h5")
    return (
        f"no store at {path}, a folder without {SHARD_INDEX}; if it holds videos, make a store "
        f"with: dfsearch prepare {made} {name}"
    )


def shard_paths(path: Path, index: dict[str, Any] | None) -> list[Path]:
    """Return the files of a store in their order."""
    return [path / shard["file"] for shard in index["shards"]] if index else [path]


def _check_shards(index: dict[str, Any], files: Sequence[h5py.File]) -> None:
    for shard, file in zip(index["shards"], files, strict=True):
        if file.attrs["fingerprint"] != shard["fingerprint"]:
            raise UserError(
                f"{file.filename} does not belong to its {SHARD_INDEX}; prepare the store again"
            )


def _check_schema(file: h5py.File) -> None:
    version = file.attrs.get("schema_version")
    if version is None:
        raise UserError(
            f"{file.filename} is an HDF5 file but not a store; make one with dfsearch prepare"
        )
    _check_version(Path(file.filename), version)


def _check_version(path: Path, version: object) -> None:
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{path} has store schema {version}, this version reads {SCHEMA_VERSION}; "
            "prepare it again"
        )


def _parse_preparation(text: str) -> dict[str, Any]:
    preparation = dict(parse_json(text))
    for name in ("clip", "split"):
        if not isinstance(preparation.get(name) or {}, dict):
            raise ValueError(f"attribute preparation has no settings in {name}")
    return preparation


def _values(dataset: h5py.Dataset) -> npt.NDArray[Any]:
    if h5py.check_string_dtype(dataset.dtype) is None:
        return np.asarray(dataset[...])
    return np.array(dataset.asstr()[...], dtype=np.str_).reshape(dataset.shape)
