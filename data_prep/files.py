"""Files that other people may have made: regular ones only, within a limit, read strictly."""

from __future__ import annotations

import errno
import io
import json
import math
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

from data_prep.errors import UserError

LARGEST_FILE = 100_000_000
"""Largest text file that is read, in bytes."""

LARGEST_TOML = 30_000
"""Largest configuration that is read, in bytes: the time to parse nested keys is quadratic."""

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
"""Error numbers of network and cluster file systems that have no locks."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_LARGEST_INTEGER = 2**63


class UnreadableFileError(UserError, OSError):
    """A path that leads to no regular file, or to one that is too large.

    Args:
        path: Path of the file.
        fault: Fault of the file, as in ``is a named pipe``.
    """

    def __init__(self, path: Path | str, fault: str) -> None:
        super().__init__(errno.EINVAL, fault, str(path))

    def __str__(self) -> str:
        return f"{self.filename} {self.strerror}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.filename, self.strerror)


def check_regular(path: Path) -> None:
    """Check that a path that exists leads to a regular file.

    Raises:
        UnreadableFileError: It is a folder, a named pipe, a socket or a device.
        OSError: The path does not exist or cannot be reached.
    """
    _check_mode(path, path.stat().st_mode)


def open_regular(path: Path, largest: int | None = None) -> io.BufferedReader:
    """Open a regular file for reading; nothing else can delay or feed the reader.

    Args:
        path: Path of the file, or a link to it.
        largest: Largest size in bytes; ``None`` for any.

    Raises:
        UnreadableFileError: The path leads to something else, or the file is too large.
        OSError: The file does not exist or cannot be read.
    """
    # Opening alone can act on a device.
    check_regular(path)
    # Without O_NONBLOCK, a named pipe that takes its place would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        _check_mode(path, found.st_mode)
        if largest is not None and found.st_size > largest:
            raise UnreadableFileError(
                path, f"has {found.st_size:,} bytes, more than the {largest:,} that are read"
            )
        return open(descriptor, "rb")  # noqa: PTH123 - of a descriptor
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, largest: int = LARGEST_FILE) -> bytes:
    """Read a regular file; see :func:`open_regular`."""
    with open_regular(path, largest) as file:
        return file.read(largest)


def read_text(path: Path, largest: int = LARGEST_FILE, *, errors: str = "strict") -> str:
    """Read a regular file of UTF-8 text with line ends as they are; see :func:`open_regular`.

    Raises:
        UnreadableFileError: As :func:`open_regular`.
        OSError: As :func:`open_regular`.
        UnicodeDecodeError: The file is no UTF-8 and ``errors`` is strict.
    """
    return read_bytes(path, largest).decode("utf-8", errors)


def open_text(path: Path, largest: int = LARGEST_FILE) -> io.StringIO:
    """Return a regular file of UTF-8 text for the reader of a table; see :func:`read_text`."""
    return io.StringIO(read_text(path, largest), newline="")


def parse_json(text: str | bytes) -> Any:
    """Parse JSON whose numbers are finite and fit 64 bits.

    Raises:
        ValueError: The text is no JSON, is nested too deeply, or holds NaN or a greater number.
    """
    try:
        return json.loads(
            text, parse_constant=_refuse_number, parse_float=_parse_float, parse_int=_parse_int
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"the number {text[:20]} is not finite or too great")


def _parse_float(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)


def _parse_int(text: str) -> int:
    # The length first: conversion of a long text is slow.
    if len(text) > 20 or abs(int(text)) >= _LARGEST_INTEGER:
        _refuse_number(text)
    return int(text)


def _check_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no file")
        raise UnreadableFileError(path, f"is {kind} and not a regular file")
