"""AVIF and HEIC files of tiles, with turns and mirrors, which no encoder here writes."""

from __future__ import annotations

import functools
import io
import itertools
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _find(content: bytes, kind: bytes) -> bytes:
    """Return the first box of a kind in a file, with its header."""
    place = content.index(kind) - 4
    return content[place : place + int.from_bytes(content[place : place + 4])]


@functools.cache
def _encode(pixels: bytes, width: int, height: int, form: str) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("RGB", (width, height), pixels).save(buffer, form, quality=95)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def write_tiles() -> Callable[..., Path]:
    """Write a HEIF file (ISO/IEC 23008-12): ``write_tiles(path, picture, tiles, properties)``.

    ``form`` is ``AVIF`` or ``HEIF``, ``tiles`` their number along each side, and ``properties``
    the boxes ``irot`` and ``imir`` in their order, as pairs of kind and value.
    """

    def write(
        path: Path,
        picture: np.ndarray,
        tiles: int = 1,
        properties: Sequence[tuple[bytes, int]] = (),
        form: str = "AVIF",
    ) -> Path:
        kind, config, brand = {
            "AVIF": (b"av01", b"av1C", b"avif"),
            "HEIF": (b"hvc1", b"hvcC", b"heic"),
        }[form]
        height, width = (side // tiles for side in picture.shape[:2])
        pictures, encoded = [], b""
        for row, column in itertools.product(range(tiles), repeat=2):
            tile = picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
            encoded = _encode(tile.tobytes(), width, height, form)
            pictures.append(_find(encoded, b"mdat")[8:])
        shown = [
            _box(b"ispe", bytes(4), struct.pack(">II", picture.shape[1], picture.shape[0])),
            _find(encoded, b"pixi"),
            *(_box(name, bytes([value])) for name, value in properties),
        ]
        tiled = [
            _find(encoded, config),
            _find(encoded, b"pixi"),
            _box(b"ispe", bytes(4), struct.pack(">II", width, height)),
        ]
        several = tiles > 1
        if not several:
            tiled = [*tiled[:1], *shown]
        # The highest bit marks what a reader must not ignore.
        essential = {config, b"irot", b"imir"}
        used = [at | 0x80 * (box[4:8] in essential) for at, box in enumerate([*tiled, *shown], 1)]
        items = [(number, kind) for number in range(2 if several else 1, len(pictures) + 2)]
        items = items[: len(pictures)]
        associations = [(item, used[: len(tiled)]) for item, _ in items]
        if several:
            associations.insert(0, (1, used[len(tiled) :]))
        described = [(1, b"grid")] * several + items
        information = [
            _box(b"infe", b"\2\0\0\0", struct.pack(">HH4sx", item, 0, name))
            for item, name in described
        ]
        meta = [
            _box(b"hdlr", bytes(8), b"pict", bytes(13)),
            _box(b"pitm", bytes(4), struct.pack(">H", 1)),
            _box(b"iinf", bytes(4), struct.pack(">H", len(described)), *information),
            _box(
                b"iprp",
                _box(b"ipco", *tiled, *(shown if several else [])),
                _box(
                    b"ipma",
                    bytes(4),
                    struct.pack(">I", len(associations)),
                    *(
                        struct.pack(">HB", item, len(numbers)) + bytes(numbers)
                        for item, numbers in associations
                    ),
                ),
            ),
        ]
        grid = struct.pack(">4BHH", 0, 0, tiles - 1, tiles - 1, *picture.shape[1::-1])
        if several:
            uses = struct.pack(f">HH{len(items)}H", 1, len(items), *(item for item, _ in items))
            meta += [_box(b"iref", bytes(4), _box(b"dimg", uses)), _box(b"idat", grid)]
        ftyp = _box(b"ftyp", brand, bytes(4), brand, b"mif1", b"miaf")

        def locations(begin: int) -> bytes:
            places = [struct.pack(">HHHHII", 1, 1, 0, 1, 0, len(grid))] * several
            for (item, _), content in zip(items, pictures, strict=True):
                places.append(struct.pack(">HHHHII", item, 0, 0, 1, begin, len(content)))
                begin += len(content)
            head = struct.pack(">4sBBH", b"\1\0\0\0", 0x44, 0, len(places))
            return _box(b"iloc", head, *places)

        def header(begin: int) -> bytes:
            return ftyp + _box(b"meta", bytes(4), *meta, locations(begin))

        begin = len(header(0)) + 8
        path.write_bytes(header(begin) + _box(b"mdat", *pictures))
        return path

    return write
