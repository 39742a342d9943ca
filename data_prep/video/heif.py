"""AVIF and HEIC pictures: their format, and the turns and mirrors that their boxes name."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

AVIF, HEIC = "avif", "heic"

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis"})
# Brands of a picture; those of sequences, such as avis, are video.
_BRANDS = frozenset({b"avif", b"mif1", b"mif2", *_HEIC_BRANDS})
# Boxes before the pictures are small; larger ones are damage.
_MOST_BYTES = 2**26


def is_heif(beginning: bytes) -> bool:
    """Return whether a file that begins with these bytes is an AVIF or HEIC picture."""
    return beginning[4:8] == b"ftyp" and beginning[8:12] in _BRANDS


def read_format(file: BinaryIO) -> str:
    """Return ``avif`` or ``heic`` for a file of either, or an empty string.

    Raises:
        OSError: it cannot be read.
    """
    file.seek(0)
    beginning = file.read(256)
    if not is_heif(beginning):
        return ""
    size = min(int.from_bytes(beginning[:4]), len(beginning))
    brands = {beginning[at : at + 4] for at in (8, *range(16, size - 3, 4))}
    return HEIC if brands & _HEIC_BRANDS and b"avif" not in brands else AVIF


def upright(file: BinaryIO, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Turn and mirror the stored picture of an AVIF file (H, W, 3) in the order of its boxes.

    The decoder reports both without their order, which matters (ISO/IEC 23008-12, 6.5.10 and
    6.5.12). EXIF data of such a file only repeat them.

    Raises:
        ValueError: the boxes are damaged.
    """
    try:
        for kind, value in _transformations(_meta(file)):
            frame = np.rot90(frame, value & 3) if kind == b"irot" else np.flip(frame, value & 1)
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError("its boxes are damaged") from error
    return np.ascontiguousarray(frame)


def _meta(file: BinaryIO) -> bytes:
    """Return the content of the box with the properties of the pictures."""
    file.seek(0)
    while header := file.read(8):
        size, kind = struct.unpack(">I4s", header)
        begin = 8
        if size == 1:
            size, begin = struct.unpack(">Q", file.read(8))[0], 16
        if kind == b"meta" and size <= _MOST_BYTES:
            # After its version and flags.
            return file.read(size - begin)[4:]
        if size < begin:
            break
        file.seek(size - begin, 1)
    raise ValueError("its boxes are damaged")


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kinds and contents of the boxes in a box."""
    place = 0
    while place < len(content):
        size, kind = struct.unpack_from(">I4s", content, place)
        if size < 8:
            raise ValueError("its boxes are damaged")
        yield kind, content[place + 8 : place + size]
        place += size


def _transformations(meta: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the turns and mirrors of the primary picture in their order, with their values."""
    boxes = dict(_boxes(meta))
    wide = boxes[b"pitm"][0] > 0
    primary = int.from_bytes(boxes[b"pitm"][4 : 8 if wide else 6])
    properties = list(_boxes(boxes[b"iprp"]))
    listed = list(_boxes(dict(properties)[b"ipco"]))
    lists = (content for kind, content in properties if kind == b"ipma")
    for index in itertools.chain.from_iterable(_associated(one, primary) for one in lists):
        kind, content = listed[index - 1]
        if kind in (b"irot", b"imir"):
            yield kind, content[0]


def _associated(content: bytes, item: int) -> list[int]:
    """Return the numbers of the properties of an item, from 1 on."""
    version, flags = content[0], int.from_bytes(content[1:4])
    name, entry = (">I" if version else ">H"), (">H" if flags & 1 else ">B")
    (count,) = struct.unpack_from(">I", content, 4)
    place = 8
    for _ in range(count):
        (found,) = struct.unpack_from(name, content, place)
        place += struct.calcsize(name)
        numbers = struct.unpack_from(f">{content[place]}{entry[1]}", content, place + 1)
        place += 1 + len(numbers) * struct.calcsize(entry)
        if found == item:
            # The highest bit marks an essential property.
            most = 0x7FFF if flags & 1 else 0x7F
            return [number & most for number in numbers if number & most]
    return []
