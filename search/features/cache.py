"""Arrays kept on disk under a budget: each computed once, whole or not there, checked when read.

An entry is one file, a ``.npy`` array with a checksum behind it, written to a temporary name and
renamed. Several processes may use one folder: an entry is computed by whichever comes first while
the others wait, and is not removed while any of them has it open.
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

from artifacts.run_directory import replacing
from data_prep.errors import DfsearchError

BUDGET = 20_000_000_000
FREE_SHARE = 0.5

_FOOTER = struct.Struct("<8sI")
_MAGIC = b"features"
_PIECE = 1 << 24
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# What was read and found whole by this process: the same bytes are not read twice.
_verified: set[tuple[str, int, int, int]] = set()


class NoRoomError(DfsearchError):
    """An entry cannot be kept; the message says why."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One array of the cache, held against removal until it is closed.

    Attributes:
        array: memory-mapped; stays readable when the entry is closed.
    """

    array: npt.NDArray[Any]
    _held: IO[bytes]

    def close(self) -> None:
        """Let others remove the entry."""
        if not self._held.closed:
            # The memory map shares the file, which alone would keep the lock.
            fcntl.flock(self._held, fcntl.LOCK_UN)
            self._held.close()


class FeatureCache:
    """A folder of arrays that is kept under a budget.

    Args:
        folder: made when the first entry is.
        budget: bytes; whatever it is, the cache never takes more than :data:`FREE_SHARE` of the
            space that would be free without it.
    """

    def __init__(self, folder: Path, budget: int = BUDGET) -> None:
        self.folder = folder
        self.budget = budget

    def room(self) -> int:
        """Bytes that all entries may take together, now."""
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
        """An entry, computed if it is not there or not what it should be.

        Args:
            key: a file name that identifies the content.
            shape: of the array.
            dtype: of the array, by name; ``bfloat16`` is kept as it is, too.
            compute: gives the array in consecutive pieces along its first axis.

        Raises:
            NoRoomError: it is larger than what may be kept, or the disk is full. Nothing is left of
                it.
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
            raise NoRoomError(f"{path} does not read back as it was written; check the disk")
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
        with replacing(path) as temporary:
            # The lock of the entry is ours, so what lies here is a dead writer's.
            temporary.unlink(missing_ok=True)
            with temporary.open("xb") as file:
                with filelock.FileLock(self.folder / "folder.lock"):
                    self._remove_leftovers(but=temporary)
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
        """Entries and what is being written, with their bytes."""
        found = []
        for path in self.folder.glob("*.npy"):
            with contextlib.suppress(FileNotFoundError):
                found.append((path, path.stat().st_size))
        return found

    def _make_room(self, needed: int) -> None:
        """Remove the entries longest unused, but none in use, until so many bytes may be added."""
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

    def _remove_leftovers(self, but: Path) -> None:
        """Remove what dead writers left: files half written whose entry nobody has locked."""
        for path in self.folder.glob(".*.tmp.npy"):
            if path == but:
                continue
            lock = filelock.FileLock(self.folder / f"{path.name.split('.')[1]}.lock", timeout=0)
            with contextlib.suppress(filelock.Timeout), lock:
                path.unlink(missing_ok=True)


def _reserve(file: IO[bytes], size: int) -> None:
    """Take a file's room at once, so that it can neither run out nor be given to another.

    A file system that cannot do that still shows the size to others.

    Raises:
        OSError: there is no such room.
    """
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        file.truncate(size)


def nbytes(shape: Sequence[int], dtype: str) -> int:
    """Bytes of an array."""
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize


def readable_bytes(size: float) -> str:
    """Bytes for people: ``1.2 GB``."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _header(shape: Sequence[int], dtype: str) -> bytes:
    """The beginning of a ``.npy`` file."""
    file = io.BytesIO()
    described = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def _start(path: Path) -> int:
    """What the checksum of an entry starts from: no entry is another's under a new name."""
    return zlib.crc32(path.stem.encode())


def _open(path: Path, shape: Sequence[int], dtype: str) -> Entry | None:
    """An entry, held against removal; None if it is missing or not what it should be."""
    file = None
    try:
        file = path.open("rb")
        fcntl.flock(file, fcntl.LOCK_SH)
        header = _header(shape, dtype)
        if os.fstat(file.fileno()).st_nlink == 0 or not _is_whole(file, path, header, shape, dtype):
            file.close()
            return None
        # The time of last use, of which removal takes the earliest; that of change stays.
        changed = os.fstat(file.fileno()).st_mtime_ns
        os.utime(file.fileno(), ns=(time.time_ns(), changed))
        mapped = np.memmap(file, np.dtype(dtype), "r", len(header), tuple(shape))
        return Entry(np.asarray(mapped), file)
    except (OSError, ValueError):
        if file is not None:
            file.close()
        return None


def _is_whole(file: IO[bytes], path: Path, header: bytes, shape: Sequence[int], dtype: str) -> bool:
    """Whether a file holds such an array and its checksum; read once by a process.

    CRC-32 as zlib has it, gigabytes a second: against damage, not against malice.
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
