"""The objects of a store file, checked before their values are read.

A store can come from a stranger. HDF5 would follow links and storage in other files, and would
allocate the size that a file claims. So every link must lie in the file itself, and every size
must be plausible for the bytes that the file has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5o, h5t, h5z

from data_prep.errors import DfsearchError
from data_prep.store.format import CHANNELS, FRAME_FIELDS, MODALITIES, TEXT_FIELDS

MOST_OBJECTS, DEEPEST = 10_000, 8
SMALLEST_SIDE = 2
MOST_ROWS = 1 << 24
# HDF5 has no larger chunk, and a clip is one chunk.
LARGEST_ROW = 1 << 32
LONGEST_TEXT = 1 << 20
LARGEST_ATTRIBUTE = 1 << 24
# Values may take this memory whatever the size of the file, and more by this multiple of it.
FREE_BYTES, RATIO = 64 << 20, 20

ATTRIBUTES = ("schema_version", "fingerprint", "preparation")
_FILTERS = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, h5z.FILTER_LZF}
_NUMBERS_OR_TEXT = (h5t.INTEGER, h5t.FLOAT, h5t.STRING)
# A text in a file: its length, the address of a heap and a number in it.
_REFERENCE = np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])
_PER_FRAME = {"boxes": (4,), "landmarks": (5, 2)}


class ObjectError(DfsearchError):
    """Error of an object that no store has.

    Args:
        where: Path of the object in the file.
        what: Fault, in words that follow the path.
    """

    def __init__(self, where: str, what: str) -> None:
        super().__init__(where, what)
        self.where = where
        self.what = what

    def __str__(self) -> str:
        return f"{self.where} {self.what}"


def check_attributes(file: h5py.File) -> None:
    """Check that the attributes of a store are single values of plausible size.

    Raises:
        ObjectError: One of them is not.
    """
    for name in ATTRIBUTES:
        if name not in file.attrs:
            continue
        found = file.attrs.get_id(name)
        where = f"attribute {name}"
        if found.shape != () or found.get_type().get_class() not in _NUMBERS_OR_TEXT:
            raise ObjectError(where, "is not one number or one text")
        if found.get_storage_size() > LARGEST_ATTRIBUTE:
            raise ObjectError(where, f"takes more than {LARGEST_ATTRIBUTE} bytes")


def check_objects(file: h5py.File) -> None:
    """Check every object of a file: its place, its type and the memory that it claims.

    Raises:
        ObjectError: An object lies in another file, has a type that no store has, or claims more
            memory than the file has values for.
    """
    size = Path(file.filename).stat().st_size
    left = FREE_BYTES + RATIO * size
    for where, dataset in _datasets(file):
        left -= _claimed_bytes(where, dataset, size)
        if left < 0:
            raise ObjectError(where, f"claims too much memory for a file of {size} bytes")


def check_fields(file: h5py.File) -> None:
    """Check types and shapes of the fields of a store that :func:`check_objects` accepts.

    Raises:
        ObjectError: A field is missing, or has another type or shape.
    """
    frames = _field(file, "frames", "u", None)
    if frames.dtype != np.uint8 or frames.ndim != 5 or frames.shape[-1] != CHANNELS:
        raise ObjectError(
            "/frames",
            f"is {frames.dtype} {frames.shape}, expected uint8 (N, T, H, W, {CHANNELS})",
        )
    count, times = frames.shape[:2]
    if not times or min(frames.shape[2:4]) < SMALLEST_SIDE:
        raise ObjectError("/frames", f"has clips of {times} frames of {frames.shape[2:4]} pixels")
    _field(file, "label", "iu", (count,))
    for name in MODALITIES:
        if name in file:
            _field(file, name, "u" if name == "mask" else "f", (count, ...))
    for name in TEXT_FIELDS:
        _field(file, f"clips/{name}", "t", (count,))
    _field(file, "clips/coverage", "f", (count,))
    for name in FRAME_FIELDS:
        if f"clips/{name}" in file:
            _field(file, f"clips/{name}", "if", (count, times, *_PER_FRAME.get(name, ())))
    if "clips/sound" in file:
        _field(file, "clips/sound", "iu", (count,))
    for name in _members(file, "clips/media"):
        _field(file, f"clips/media/{name}", "t" if name == "codec" else "iuf", (count,))
    for name in _members(file, "clips/shortcuts"):
        _field(file, f"clips/shortcuts/{name}", "iuf", (count,))
    for name in _members(file, "clips/attributes") if "clips/attributes" in file else ():
        _field(file, f"clips/attributes/{name}", "t", (count,))
    if "clips/spans" in file:
        _field(file, "clips/spans", "t", (count,))
    if "clips/source" in file:
        for name in ("source", "role", "identities"):
            _field(file, f"clips/{name}", "t", (count,))
        _field(file, "clips/weight", "f", (count,))
        _field(file, "clips/still", "iu", (count,))
    if "clips/hashes" in file:
        _field(file, "clips/hashes", "u", (count, ...))
    left_out = len(_field(file, "quarantine/path", "t", None))
    for name in ("step", "reason"):
        _field(file, f"quarantine/{name}", "t", (left_out,))


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield every dataset with its path; links are looked at before they are followed."""
    seen = {h5o.get_info(file.id).addr}
    waiting: list[tuple[str, h5py.Group]] = [("", file["/"])]
    while waiting:
        path, group = waiting.pop()
        for key in group:
            where = f"{path}/{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise ObjectError(where, "is a link to another place or file, which no store has")
            item = group[key]
            address = h5o.get_info(item.id).addr
            if address in seen:
                raise ObjectError(where, "is an object that has another name too")
            seen.add(address)
            if len(seen) > MOST_OBJECTS or where.count("/") > DEEPEST:
                raise ObjectError(where, "is one of more or deeper objects than a store has")
            if isinstance(item, h5py.Group):
                waiting.append((where, item))
            elif isinstance(item, h5py.Dataset):
                yield where, item
            else:
                raise ObjectError(where, "is neither a group nor a dataset")


def _claimed_bytes(where: str, dataset: h5py.Dataset, size: int) -> int:
    """Return the memory of all values of a dataset, after checking each limit on it."""
    settings = dataset.id.get_create_plist()
    if settings.get_layout() == h5d.VIRTUAL or settings.get_external_count():
        raise ObjectError(where, "keeps its values in another file, which no store does")
    filters = {settings.get_filter(at)[0] for at in range(settings.get_nfilters())}
    if unknown := filters - _FILTERS:
        raise ObjectError(where, f"is compressed by filter {min(unknown)}, which no store uses")
    kind = dataset.id.get_type()
    if kind.get_class() not in _NUMBERS_OR_TEXT or dataset.shape is None:
        raise ObjectError(where, "holds neither numbers nor texts")
    shape = tuple(map(int, dataset.shape))
    rows = shape[0] if shape else 1
    claimed = math.prod(shape) * int(kind.get_size())
    stored = dataset.id.get_storage_size()
    chunk = math.prod(dataset.chunks or ()) * kind.get_size()
    compressed = chunk if filters else 0
    if rows > MOST_ROWS:
        raise ObjectError(where, f"claims {rows} rows; a file may have {MOST_ROWS}, so use shards")
    if claimed > LARGEST_ROW * max(rows, 1):
        raise ObjectError(where, f"claims more than {LARGEST_ROW} bytes a row")
    if stored > size or (not filters and stored < claimed):
        raise ObjectError(where, f"claims {claimed} bytes, the file has {min(stored, size)} of it")
    if max(claimed, compressed) > FREE_BYTES + RATIO * stored:
        raise ObjectError(where, f"claims {max(claimed, compressed)} bytes in {stored} bytes")
    if kind.get_class() == h5t.STRING:
        # NumPy gives every text the room of the longest, at four bytes a character.
        return 4 * rows * _longest_text(where, dataset, kind)
    return claimed


def _longest_text(where: str, dataset: h5py.Dataset, kind: h5t.TypeStringID) -> int:
    """Return the bytes of the longest text, read from the references and not from the texts.

    HDF5 allocates the length in a reference before it checks it, and many references can share
    one text.
    """
    longest = 0 if kind.is_variable_str() else int(kind.get_size())
    if kind.is_variable_str() and dataset.size:
        start = dataset.id.get_offset()
        length = dataset.size * _REFERENCE.itemsize
        if start is None or dataset.id.get_storage_size() != length:
            raise ObjectError(where, "has its texts in pieces; a store has them in one")
        with Path(dataset.file.filename).open("rb") as raw:
            raw.seek(start)
            content = raw.read(length)
        if len(content) < length:
            raise ObjectError(where, "is not whole")
        longest = int(np.frombuffer(content, _REFERENCE)["length"].max())
    if longest > LONGEST_TEXT:
        raise ObjectError(where, f"has a text that is longer than {LONGEST_TEXT} bytes")
    return longest


def _members(file: h5py.File, name: str) -> list[str]:
    group = file.get(name)
    if not isinstance(group, h5py.Group):
        raise ObjectError(f"/{name}", "is missing" if group is None else "is not a group")
    return list(group)


def _field(file: h5py.File, name: str, kinds: str, shape: tuple[Any, ...] | None) -> h5py.Dataset:
    """Return a dataset of rows; kinds are NumPy's letters, and ``t`` for texts."""
    found = file.get(name)
    if not isinstance(found, h5py.Dataset) or not found.ndim:
        what = "is missing" if found is None else "is not a dataset of rows"
        raise ObjectError(f"/{name}", what)
    text = h5py.check_string_dtype(found.dtype) is not None
    if ("t" if text else found.dtype.kind) not in kinds:
        raise ObjectError(f"/{name}", f"is of type {found.dtype}, which it cannot be")
    if shape is not None:
        fixed = shape[:-1] if shape[-1] is ... else shape
        if found.shape[: len(fixed)] != fixed or (shape[-1] is not ... and found.shape != shape):
            expected = ", ".join("..." if side is ... else str(side) for side in shape)
            raise ObjectError(f"/{name}", f"is of shape {found.shape}, expected ({expected})")
    return found
