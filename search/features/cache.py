"""Cache of arrays on disk within a size limit; each is computed once and checked when it is read.

An entry is one file, a ``.npy`` array followed by a checksum, written to a temporary name and
renamed. Several processes may use one folder. One of them computes an entry while the others wait,
and no entry is removed while a process has it open.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import io
import os
import shutil
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import filelock
import numpy as np
import numpy.typing as npt

from artifacts.run_directory import replace_file
from data_prep.errors import DfsearchError

BUDGET = 20_000_000_000
FREE_SHARE = 0.5

_FOOTER = struct.Struct("<8sI")
_MAGIC = b"features"
_PIECE = 1 << 24
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Entries that this process has checked; the same bytes are not read twice.
_verified: set[tuple[str, int, int, int]] = set()


class NoRoomError(DfsearchError):
    """An entry cannot be kept; the message gives the reason."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One array of the cache, protected from removal until it is closed.

    Attributes:
        array: Memory-mapped; stays readable after the entry is closed.
    """

    array: npt.NDArray[Any]
    _held: IO[bytes]

    def close(self) -> None:
        """Let other processes remove the entry."""
        if not self._held.closed:
            # The memory map shares the file, which alone would keep the lock.
            fcntl.flock(self._held, fcntl.LOCK_UN)
            self._held.close()


class FeatureCache:
    """A folder of arrays within a size limit.

    Args:
        folder: Created with the first entry.
        budget: Bytes. Whatever the budget, the cache never uses more than :data:`FREE_SHARE` of the
            space that would be free without it.
    """

    def __init__(self, folder: Path, budget: int = BUDGET) -> None:
        self.folder = folder
        self.budget = budget

    def room(self) -> int:
        """Return the bytes that all entries together may use now."""
        existing = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        unused = shutil.disk_usage(existing).free + sum(size for _, size in self._files())
        return min(self.budget, int(FREE_SHARE * unused))

    def entry(
        self,
        key: str,
        shape: Sequence[int],
        dtype: str,
        compute: Callable[[], Iterable[npt.NDArray[Any]]],
    ) -> Entry:
        """Return an entry; compute it if it is missing or damaged.

        Args:
            key: File name that identifies the content.
            shape: Shape of the array.
            dtype: Data type of the array, by name; ``bfloat16`` is kept, too.
            compute: Returns the array in consecutive pieces along its first axis.

        Raises:
            NoRoomError: The entry is larger than the free room, or the disk is full. Nothing of it
                remains.
        """
        path = self.folder / f"{key}.npy"
        self.folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock")):
            found = _open(path, shape, dtype)
            if found is None:
                try:
                    self._write(path, shape, dtype, compute)
                except OSError as error:
                    if error.errno not in _NO_ROOM:
                        raise
                    raise NoRoomError(f"no room on the disk: {os.strerror(error.errno)}") from None
                found = _open(path, shape, dtype)
        if found is None:
            raise NoRoomError(
                f"{path} does not read back the bytes that were written; check the disk"
            )
        return found

    def _write(
        self,
        path: Path,
        shape: Sequence[int],
        dtype: str,
        compute: Callable[[], Iterable[npt.NDArray[Any]]],
    ) -> None:
        header = _header(shape, dtype)
        size = len(header) + nbytes(shape, dtype) + _FOOTER.size
        with replace_file(path) as temporary:
            # This process holds the lock of the entry, so an existing file is of a dead writer.
            temporary.unlink(missing_ok=True)
            with temporary.open("xb") as file:
                with filelock.FileLock(self.folder / "folder.lock"):
                    self._remove_leftovers(keep=temporary)
                    self._make_room(size)
                    _reserve(file, size)
                checksum = zlib.crc32(header, _start(path))
                file.write(header)
                for piece in compute():
                    written = np.ascontiguousarray(piece).view(np.uint8).data
                    checksum = zlib.crc32(written, checksum)
                    file.write(written)
                file.write(_FOOTER.pack(_MAGIC, checksum))
                file.flush()
                if file.tell() != size:
                    raise ValueError(f"{path.name}: computed {file.tell()} bytes, not {size}")

    def _files(self) -> list[tuple[Path, int]]:
        """Return entries and files in writing, with their bytes."""
        found = []
        for path in self.folder.glob("*.npy"):
            with contextlib.suppress(FileNotFoundError):
                found.append((path, path.stat().st_size))
        return found

    def _make_room(self, needed: int) -> None:
        """Remove the least recently used entries that are not open, until the bytes fit."""
        room = self.room()
        if needed > room:
            raise NoRoomError(f"{readable_bytes(needed)} do not fit into {readable_bytes(room)}")
        used = sum(size for _, size in self._files())
        for path, size in sorted(self._files(), key=lambda file: _last_used(file[0])):
            if used + needed <= room:
                return
            if not path.name.startswith(".") and _remove_unused(path):
                used -= size
        if used + needed > room:
            raise NoRoomError(
                f"{readable_bytes(needed)} do not fit into {readable_bytes(room)} while other "
                "entries are in use"
            )

    def _remove_leftovers(self, keep: Path) -> None:
        """Remove files of dead writers: half-written files whose entry is not locked."""
        for path in self.folder.glob(".*.tmp.npy"):
            if path == keep:
                continue
            lock = filelock.FileLock(self.folder / f"{path.name.split('.')[1]}.lock", timeout=0)
            with contextlib.suppress(filelock.Timeout), lock:
                path.unlink(missing_ok=True)


def _reserve(file: IO[bytes], size: int) -> None:
    """Allocate the whole file at once, so that the space cannot run out later.

    On a file system that cannot allocate, the file still has its final size for other processes.

    Raises:
        OSError: There is not enough space.
    """
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        file.truncate(size)


def nbytes(shape: Sequence[int], dtype: str) -> int:
    """Return the bytes of an array."""
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize


def readable_bytes(size: float) -> str:
    """Return bytes as text: ``1.2 GB``."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _header(shape: Sequence[int], dtype: str) -> bytes:
    """Return the header of a ``.npy`` file."""
    file = io.BytesIO()
    described = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def _start(path: Path) -> int:
    """Return the start value of the checksum: no renamed file is mistaken for another entry."""
    return zlib.crc32(path.stem.encode())


def _open(path: Path, shape: Sequence[int], dtype: str) -> Entry | None:
    """Return an entry, protected from removal; None if it is missing or damaged."""
    file = None
    try:
        file = path.open("rb")
        fcntl.flock(file, fcntl.LOCK_SH)
        header = _header(shape, dtype)
        if os.fstat(file.fileno()).st_nlink == 0 or not _is_whole(file, path, header, shape, dtype):
            file.close()
            return None
        # Access time is the time of last use, for removal; modification time stays unchanged.
        changed = os.fstat(file.fileno()).st_mtime_ns
        os.utime(file.fileno(), ns=(time.time_ns(), changed))
        mapped = np.memmap(file, np.dtype(dtype), "r", len(header), tuple(shape))
        return Entry(np.asarray(mapped), file)
    except (OSError, ValueError):
        if file is not None:
            file.close()
        return None


def _is_whole(file: IO[bytes], path: Path, header: bytes, shape: Sequence[int], dtype: str) -> bool:
    """Return whether a file holds such an array and its checksum; each process reads it once.

    CRC-32 of zlib, gigabytes a second, detects damage, not malice.
    """
    facts = os.fstat(file.fileno())
    size = len(header) + nbytes(shape, dtype) + _FOOTER.size
    if facts.st_size != size or file.read(len(header)) != header:
        return False
    known = (path.stem, facts.st_ino, facts.st_mtime_ns, size)
    if known in _verified:
        return True
    checksum = zlib.crc32(header, _start(path))
    left = size - len(header) - _FOOTER.size
    while left > 0:
        piece = file.read(min(_PIECE, left))
        if not piece:
            return False
        checksum = zlib.crc32(piece, checksum)
        left -= len(piece)
    if file.read(_FOOTER.size) != _FOOTER.pack(_MAGIC, checksum):
        return False
    _verified.add(known)
    return True


def _remove_unused(path: Path) -> bool:
    """Remove an entry unless a living process has it open."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except OSError:
        return False
    return True


def _last_used(path: Path) -> int:
    try:
        return path.stat().st_atime_ns
    except FileNotFoundError:
        return 0
