"""Extracted frames that stand for a video: a folder of pictures, on disk or in a tar archive.

The path of a folder in an archive goes through the archive: ``fake_test/12.tar.gz/12/fake/54``. Its
pictures are read from the archive one at a time and never written to disk, so no name in an archive
can lead anywhere.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import io
import os
import re
import stat
import tarfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.errors import VideoError
from data_prep.video.decoding import MAX_BYTES
from data_prep.video.stills import read_picture

PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)

# A picture of a larger file, or an archive of more files or of more bytes in all than so many times
# its own size, is refused.
_MOST_BYTES = 2**26
_MOST_FILES = 2_000_000
_MOST_EXPANSION = 100


@dataclasses.dataclass(frozen=True)
class FrameFolder:
    """The pictures of one folder in the order of the numbers in their names.

    Attributes:
        path: the folder.
        names: of the pictures.
        sizes: of their files in bytes.
        state: values that change when the folder or the archive does.
        archive: the archive it lies in; None for a folder on disk.
        members: entries of the archive, one a picture; none for a folder on disk.
    """

    path: Path
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    state: tuple[Any, ...]
    archive: Path | None = None
    members: tuple[tarfile.TarInfo, ...] = dataclasses.field(default=(), repr=False)

    @property
    def size(self) -> int:
        """Bytes of all pictures."""
        return sum(self.sizes)

    def read(self, positions: Iterable[int]) -> Iterator[bytes]:
        """Yield the content of the picture files at some positions.

        Raises:
            VideoError: step ``decode``; a file is too large or cannot be read.
        """
        if self.archive is not None:
            with _opened(self.archive) as archive:
                for position in positions:
                    self._check_size(position)
                    file = archive.extractfile(self.members[position])
                    assert file is not None
                    yield file.read()
            return
        for position in positions:
            self._check_size(position)
            try:
                content = (self.path / self.names[position]).read_bytes()
            except OSError as error:
                reason = f"{self.names[position]} cannot be read: {error.strerror}"
                raise VideoError("decode", reason) from None
            yield content

    def _check_size(self, position: int) -> None:
        if self.sizes[position] > _MOST_BYTES:
            raise VideoError(
                "decode",
                f"{self.names[position]} has {self.sizes[position]} bytes; a frame may have at "
                f"most {_MOST_BYTES}",
            )


def find_frame_folder(path: Path) -> FrameFolder | None:
    """Return the folder of frames at a path; None if a file lies there.

    Raises:
        VideoError: step ``decode``; there is neither, or the archive is damaged.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        archive = _archive_of(path)
        return None if archive is None else _in_archive(path, archive)
    except OSError as error:
        raise VideoError("decode", f"the file cannot be read: {error.strerror}") from None
    return _on_disk(path) if stat.S_ISDIR(mode) else None


def has_pictures(folder: Path) -> bool:
    """Return whether a folder holds a picture; folders in it do not count."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return any(_is_picture(entry.name) and entry.is_file() for entry in entries)
    return False


def archive_folders(archive: Path) -> tuple[PurePosixPath, ...]:
    """Return the folders of an archive that hold pictures.

    Raises:
        VideoError: step ``decode``; it is no tar archive, or is damaged.
    """
    return tuple(sorted(_contents(archive)))


def hash_content(path: Path) -> str:
    """Return the SHA-256, hexadecimal, of a file or of the pictures of a folder in their order."""
    folder = find_frame_folder(path)
    if folder is None:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for content in folder.read(range(len(folder.names))):
        digest.update(content)
    return digest.hexdigest()


def read_positions(
    folder: FrameFolder, positions: npt.NDArray[np.int64]
) -> tuple[dict[int, npt.NDArray[np.uint8]], str, int, int]:
    """Read the pictures at some positions.

    Returns:
        RGB pictures by position, uint8 (H, W, 3), all of one size; their format; their width and
        height before pictures too large to be kept together were made smaller.

    Raises:
        VideoError: step ``decode``; a picture is damaged, or two differ in size.
    """
    wanted = sorted(set(positions.tolist()))
    frames: dict[int, npt.NDArray[np.uint8]] = {}
    form, size = "", (0, 0)
    for position, content in zip(wanted, folder.read(wanted), strict=True):
        try:
            frame, form = read_picture(io.BytesIO(content))
        except VideoError as error:
            raise VideoError("decode", f"{folder.names[position]}: {error.reason}") from None
        height, width = frame.shape[:2]
        if frames and (width, height) != size:
            raise VideoError(
                "decode",
                f"{folder.names[position]} has {width} x {height} pixels, an earlier frame "
                f"{size[0]} x {size[1]}; extract all frames in one size",
            )
        size = (width, height)
        frames[position] = _small(frame, len(wanted))
    return frames, form, *size


def _small(frame: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint8]:
    """Return a frame of so many, small enough for all of them to be in memory."""
    scale = min(1.0, (MAX_BYTES / (frame.nbytes * count)) ** 0.5)
    if scale == 1:
        return frame
    size = tuple(max(1, int(side * scale)) for side in frame.shape[1::-1])
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _in_order(names: Sequence[str]) -> list[str]:
    """Sort names by the numbers in them: 2.png is before 10.png."""
    return sorted(names, key=lambda name: (_numbers(name), name))


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]{1,18}", PurePath(name).stem)]


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and PurePath(name).suffix.casefold() in PICTURE_SUFFIXES


def _on_disk(path: Path) -> FrameFolder:
    found: dict[str, os.stat_result] = {}
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if _is_picture(entry.name) and entry.is_file():
                    found[entry.name] = entry.stat()
    except OSError as error:
        raise VideoError("decode", f"the folder cannot be read: {error.strerror}") from None
    if not found:
        raise VideoError("decode", "a folder without pictures")
    names = tuple(_in_order(list(found)))
    sizes = tuple(found[name].st_size for name in names)
    latest = max(status.st_mtime_ns for status in found.values())
    listed = hashlib.sha256(repr((names, sizes)).encode("utf-8", "surrogateescape")).hexdigest()
    return FrameFolder(path, names, sizes, (listed, latest))


def _archive_of(path: Path) -> Path | None:
    """Return the file among the folders above a path that does not exist."""
    return next((above for above in path.parents if above.is_file()), None)


def _in_archive(path: Path, archive: Path) -> FrameFolder:
    members = _contents(archive).get(PurePosixPath(path.relative_to(archive)))
    if not members:
        raise VideoError("decode", "the archive has no such folder of pictures")
    status = archive.stat()
    names = tuple(PurePosixPath(member.name).name for member in members)
    sizes = tuple(member.size for member in members)
    state = (status.st_size, status.st_mtime_ns)
    return FrameFolder(path, names, sizes, state, archive, members)


def _contents(archive: Path) -> dict[PurePosixPath, tuple[tarfile.TarInfo, ...]]:
    try:
        status = archive.stat()
    except OSError as error:
        raise VideoError("decode", f"the archive cannot be read: {error.strerror}") from None
    return _listed(archive, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _listed(
    archive: Path, size: int, changed: int
) -> dict[PurePosixPath, tuple[tarfile.TarInfo, ...]]:
    """Return the pictures of an archive by folder; looking for one folder means to read it all."""
    folders: dict[PurePosixPath, dict[str, tarfile.TarInfo]] = {}
    total = 0
    with _opened(archive) as opened:
        for number, member in enumerate(opened, 1):
            name = PurePosixPath(member.name)
            if name.is_absolute() or ".." in name.parts:
                raise VideoError("decode", "the archive has a path that leads out of it")
            total += member.size
            if number > _MOST_FILES or total > _MOST_EXPANSION * max(size, tarfile.RECORDSIZE):
                raise VideoError("decode", "the archive holds far more than its size; unpack it")
            # Links and devices are no pictures.
            if member.isreg() and _is_picture(name.name):
                folders.setdefault(name.parent, {})[name.name] = member
    return {
        folder: tuple(found[name] for name in _in_order(list(found)))
        for folder, found in folders.items()
    }


@contextlib.contextmanager
def _opened(archive: Path) -> Generator[tarfile.TarFile]:
    """Open a tar archive, compressed or not, and report its damage."""
    try:
        with tarfile.open(archive, "r:*") as opened:
            yield opened
    except VideoError:
        raise
    # Damage makes the decompressors raise errors of several kinds.
    except (tarfile.TarError, OSError, EOFError, ValueError, ArithmeticError) as error:
        kind = type(error).__name__
        raise VideoError("decode", f"the archive is damaged or no tar archive ({kind})") from None
