"""HDF5 files, opened with a lock where the file system has locks."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import h5py

from data_prep.errors import UserError
from data_prep.files import NO_LOCKS, check_regular, open_regular

_IN_USE = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES})
# The text of HDF5, which gives this error no number: the writer of the file marks it as open.
_MARKED_AS_OPEN = "already open for"


def open_hdf5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading; without a lock if the file system has no locks.

    Raises:
        UserError: The file is missing, unreadable, locked, damaged or no HDF5 file.
    """
    check_readable(path)
    try:
        return _open(path, "r")
    except Exception as error:  # whatever the library raises on a damaged file
        raise UserError(_refusal(path, error)) from None


def create_hdf5(path: Path, **options: Any) -> h5py.File:
    """Create an HDF5 file; without a lock if the file system has no locks.

    Args:
        path: A file of this process alone; an existing one is replaced.
        options: Further arguments of :class:`h5py.File`.
    """
    return _open(path, "w", **options)


def check_readable(path: Path) -> None:
    """Refuse a path that is no regular file or that this user may not read.

    Opening a pipe would wait for its writer, and HDF5 calls an unreadable file damaged.

    Raises:
        UserError: The file cannot be read, with the reason of the operating system.
    """
    try:
        # The error of opening a socket does not name it.
        check_regular(path)
        open_regular(path).close()
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def system_reason(error: BaseException) -> str | None:
    """Return the reason of the operating system, if an error of HDF5 or Python has one.

    h5py raises many errors of the system as other types, with the number in their text.
    """
    number = error.errno if isinstance(error, OSError) else None
    found = re.search(r"errno = (\d+)", str(error))
    if number is None and found:
        number = int(found[1])
    return None if number is None else os.strerror(number)


def _open(path: Path, mode: str, **options: Any) -> h5py.File:
    try:
        return h5py.File(path, mode, **options)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return h5py.File(path, mode, locking=False, **options)


def _refusal(path: Path, error: Exception) -> str:
    # Permission to read has been checked, so a refused access is a refused lock.
    if isinstance(error, OSError) and error.errno in _IN_USE:
        return f"{path} is in use by another process that writes to it; wait until it has finished"
    if _MARKED_AS_OPEN in str(error):
        return (
            f"{path} is in use by another process that writes to it, or such a process was "
            "killed; wait until it has finished, or make the file again"
        )
    reason = system_reason(error)
    if reason:
        return f"{path} cannot be read: {reason}"
    if h5py.is_hdf5(path):
        return f"{path} is damaged; prepare it again"
    return (
        f"{path} is not an HDF5 file, so it is no store; name the file that dfsearch prepare wrote"
    )
