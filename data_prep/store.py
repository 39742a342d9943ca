"""The HDF5 store: one file with every prepared clip, who is in it and which split it belongs to.

Layout (``schema_version`` 1), N clips of T frames of H x W pixels:

====================  ==============================================================
``/frames``           uint8 (N, T, H, W, 4): R, G, B and grey; one chunk a clip
``/label``            uint8 (N,), 1 is fake
``/clips/<field>``    one dataset a field of :class:`Clip`, first axis N
``/quarantine``       ``path``, ``step`` and ``reason`` of every video left out
attributes            ``schema_version``, ``fingerprint``, ``preparation`` (JSON)
====================  ==============================================================
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.text import printable

SCHEMA_VERSION = 1
SPLITS = ("train", "val", "test")
REAL, FAKE = 0, 1
CHANNELS = 4

_TEXT = h5py.string_dtype("utf-8")
_TEXT_FIELDS = ("key", "method", "quality", "group", "split", "path", "sha256")
_FRAME_FIELDS = ("frame_indices", "frame_times", "boxes", "landmarks", "scores")


@dataclasses.dataclass(frozen=True)
class Clip:
    """One prepared clip: a face track of T sampled frames and all that is known of it.

    Attributes:
        key: unique name, ``data set/method/quality/name``.
        label: 0 real, 1 fake.
        method: manipulation method, ``real`` for reals.
        quality: compression level as the data set names it (``c23``), or ``unknown``.
        group: identity group; clips that share a person share it.
        split: ``train``, ``val`` or ``test``.
        path: the source video.
        sha256: of the source file, hexadecimal.
        frame_indices: int64 (T,), positions in the source video.
        frame_times: float64 (T,), seconds.
        boxes: float32 (T, 4), x0, y0, x1, y1 of the face in source pixels.
        landmarks: float32 (T, 5, 2), eyes, nose, mouth corners in source pixels.
        scores: float32 (T,), detection confidence, 0 where the box is interpolated.
        coverage: fraction of sampled frames in which the face was found.
        frames: uint8 (T, H, W, 4), the face crop as R, G, B and grey.
    """

    key: str
    label: int
    method: str
    quality: str
    group: str
    split: str
    path: str
    sha256: str
    frame_indices: npt.NDArray[np.int64]
    frame_times: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    coverage: float
    frames: npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Quarantined:
    """A video left out, the step that refused it and why."""

    path: str
    step: str
    reason: str


def write_store(
    path: Path,
    clips: Iterable[Clip],
    quarantine: Sequence[Quarantined],
    preparation: dict[str, Any],
) -> str:
    """Write a store and return its content fingerprint.

    The file is written under a temporary name beside ``path``, flushed to disk and renamed, so
    a store either exists whole or not at all. Clips are read one at a time; they must come in
    the order wanted in the file and share one frame shape.

    Args:
        path: the store to make; an existing file is replaced.
        clips: at least one clip.
        quarantine: the videos left out.
        preparation: what is needed to prepare another video the same way; stored as JSON.

    Raises:
        UserError: there is no clip, or a clip's frames have another shape than the first's.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with h5py.File(temporary, "w", libver="v110") as file:
            fingerprint = _write(file, clips, quarantine, preparation)
            file.flush()
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return fingerprint


def _write(
    file: h5py.File,
    clips: Iterable[Clip],
    quarantine: Sequence[Quarantined],
    preparation: dict[str, Any],
) -> str:
    digest = hashlib.sha256()
    metadata: list[Clip] = []
    frames: h5py.Dataset | None = None
    for row, clip in enumerate(clips):
        shape = clip.frames.shape
        if frames is None:
            frames = file.create_dataset(
                "frames",
                (0, *shape),
                np.uint8,
                maxshape=(None, *shape),
                chunks=(1, *shape),
            )
        if frames.shape[1:] != shape:
            raise UserError(
                f"clip {clip.key}: frames of shape {shape}, the store has {frames.shape[1:]}"
            )
        frames.resize(row + 1, axis=0)
        frames[row] = clip.frames
        digest.update(f"{clip.key}\0{clip.label}\0{clip.group}\0{clip.split}\0".encode())
        digest.update(np.ascontiguousarray(clip.frames).data)
        metadata.append(dataclasses.replace(clip, frames=clip.frames[:0]))
    if not metadata:
        raise UserError("no clip to store: every video was quarantined")

    file["label"] = np.array([clip.label for clip in metadata], np.uint8)
    group = file.create_group("clips")
    for field in _TEXT_FIELDS:
        group.create_dataset(field, data=[getattr(clip, field) for clip in metadata], dtype=_TEXT)
    for field in _FRAME_FIELDS:
        group[field] = np.stack([getattr(clip, field) for clip in metadata])
    group["coverage"] = np.array([clip.coverage for clip in metadata], np.float64)

    left_out = file.create_group("quarantine")
    for field in ("path", "step", "reason"):
        values = [printable(getattr(entry, field)) for entry in quarantine]
        left_out.create_dataset(field, data=values, shape=(len(values),), dtype=_TEXT)

    fingerprint = digest.hexdigest()
    file.attrs["schema_version"] = SCHEMA_VERSION
    file.attrs["fingerprint"] = fingerprint
    file.attrs["preparation"] = json.dumps(preparation, sort_keys=True)
    return fingerprint


class Store:
    """A store opened for reading. Frames stay on disk; everything else is small and in memory.

    Usable as a context manager.

    Args:
        path: the store file.

    Attributes:
        labels: uint8 (N,).
        keys, methods, qualities, groups, splits, paths: str arrays (N,).
        coverage: float64 (N,).
        quarantine: the videos left out.
        preparation: the configuration the clips were prepared with.
        fingerprint: content fingerprint, hexadecimal.

    Raises:
        UserError: there is no such file, or it is not a store of this schema.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"no store at {path}; make one with: dfsearch prepare SOURCE {path}")
        try:
            self._file = h5py.File(self.path, "r")
        except OSError:
            raise UserError(f"{path} is not an HDF5 file or is damaged; prepare it again") from None
        try:
            self._load()
        except UserError:
            self._file.close()
            raise
        except (KeyError, ValueError, OSError, TypeError) as error:
            self._file.close()
            raise UserError(f"{path} is not a store or is damaged: {error}") from None

    def _load(self) -> None:
        version = self._file.attrs.get("schema_version")
        if version is None:
            raise UserError(
                f"{self.path} is an HDF5 file but not a store; make one with dfsearch prepare"
            )
        if version != SCHEMA_VERSION:
            raise UserError(
                f"{self.path} has store schema {version}, this version reads {SCHEMA_VERSION}; "
                "prepare it again"
            )
        self._frames = self._file["frames"]
        self.labels: npt.NDArray[np.uint8] = self._file["label"][...]
        clips = self._file["clips"]
        self.keys = _text(clips["key"])
        self.methods = _text(clips["method"])
        self.qualities = _text(clips["quality"])
        self.groups = _text(clips["group"])
        self.splits = _text(clips["split"])
        self.paths = _text(clips["path"])
        self.coverage: npt.NDArray[np.float64] = clips["coverage"][...]
        left_out = self._file["quarantine"]
        self.quarantine = [
            Quarantined(path, step, reason)
            for path, step, reason in zip(
                *(_text(left_out[field]) for field in ("path", "step", "reason")), strict=True
            )
        ]
        self.preparation: dict[str, Any] = json.loads(self._file.attrs["preparation"])
        self.fingerprint = str(self._file.attrs["fingerprint"])
        if len(self._frames) != len(self.labels):
            raise UserError(
                f"{self.path} is damaged: {len(self._frames)} clips, {len(self.labels)} labels"
            )

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.labels)

    def close(self) -> None:
        """Close the file; the metadata stays usable."""
        self._file.close()

    @property
    def is_synthetic(self) -> bool:
        """Whether the clips were drawn by a program, not filmed."""
        return bool(self.preparation.get("synthetic", False))

    @property
    def clip_shape(self) -> tuple[int, int, int, int]:
        """(T, H, W, 4) of one clip."""
        t, h, w, c = self._frames.shape[1:]
        return int(t), int(h), int(w), int(c)

    def rows(self, split: str, label: int | None = None) -> npt.NDArray[np.int64]:
        """Row numbers of a split, of one label if given, ascending."""
        wanted = self.splits == split
        if label is not None:
            wanted &= self.labels == label
        return np.flatnonzero(wanted)

    def read(self, rows: Sequence[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Frames of the rows in their order, uint8 (len(rows), T, H, W, 4).

        Each clip is read whole into its place: on chunked data that is hundreds of times
        faster than HDF5's fancy indexing.
        """
        batch = np.empty((len(rows), *self.clip_shape), np.uint8)
        for place, row in enumerate(rows):
            self._frames.read_direct(batch, np.s_[int(row)], np.s_[place])
        return batch


def _text(dataset: h5py.Dataset) -> npt.NDArray[np.str_]:
    return np.array(dataset.asstr()[...], dtype=np.str_).reshape(dataset.shape)
