"""The three members of a ``.keras`` file, read only where the file is as Keras writes it."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

from artifacts.models.refusal import RefusalError

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
MEMBERS = (METADATA, CONFIG, WEIGHTS)
LONGEST_TEXT = 1 << 26
_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")
_IN_LONG_FORM = 0xFFFFFFFF


def read_members(path: Path) -> dict[str, bytes]:
    """Read the members of an archive by name.

    Only the three members that Keras writes are allowed, once each, without gaps from the first
    byte on, uncompressed and unencrypted. The directory at the end must agree with their headers.
    So nothing is hidden, nothing is unpacked to more than the file has, and every reader sees the
    same.

    Raises:
        RefusalError: the file has another form.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _END.size))
        end = file.read()
        if len(end) != _END.size or end[:4] != b"PK\5\6":
            raise RefusalError("is not a Keras archive or is cut off")
        _, disk, first_disk, here, total, length, start, comment = _END.unpack(end)
        if here != total or total != len(MEMBERS):
            raise RefusalError(f"has {total} members, a Keras archive has {len(MEMBERS)}")
        if disk or first_disk or comment or start + length + _END.size != size:
            raise RefusalError("has bytes that belong to no member")
        file.seek(0)
        try:
            with zipfile.ZipFile(file) as archive:
                entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
                _check_entries(entries)
                _check_places(file.fileno(), entries, start)
                return {entry.filename: archive.read(entry) for entry in entries}
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, EOFError):
            raise RefusalError("is damaged: its archive cannot be read") from None


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if sorted(names) != sorted(MEMBERS):
        odd = next((name for name in names if name not in MEMBERS), names[0])
        raise RefusalError(f"has a member {odd!r} that it must not have, or has it twice")
    for entry in entries:
        if entry.flag_bits & ~0x800:
            raise RefusalError(f"has {entry.filename} encrypted or without its size")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise RefusalError(f"has {entry.filename} compressed, as Keras writes none")
        if entry.filename != WEIGHTS and entry.file_size > LONGEST_TEXT:
            raise RefusalError(f"has a {entry.filename} of {entry.file_size} bytes")


def _check_places(file: int, entries: list[zipfile.ZipInfo], end: int) -> None:
    """Check that members fill the file up to its directory, with the names and sizes there.

    Args:
        file: descriptor, read without moving its position.
        entries: members in the order of the file.
        end: position of the directory.
    """
    place = 0
    for entry in entries:
        header = _LOCAL.unpack(os.pread(file, _LOCAL.size, place))
        signature, _, flags, method, _, _, _, stored, whole, name_length, extra_length = header
        name = os.pread(file, name_length, place + _LOCAL.size)
        sizes = {stored, whole} - {_IN_LONG_FORM}
        if (
            signature != b"PK\3\4"
            or entry.header_offset != place
            or name != entry.filename.encode()
            or (flags, method) != (entry.flag_bits, entry.compress_type)
            or sizes - {entry.file_size}
        ):
            raise RefusalError(f"has two entries that disagree about its member {entry.filename}")
        place += _LOCAL.size + name_length + extra_length + entry.file_size
    if place != end:
        raise RefusalError("has bytes that belong to no member")
