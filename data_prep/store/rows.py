"""Rows of an HDF5 dataset, read whole: from a memory map where the file holds them as they are."""

from __future__ import annotations

import math
import mmap
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.store.hdf5 import system_reason

# Available on Linux, not everywhere; the pages stay in the cache of the system.
_LET_GO: int | None = getattr(mmap, "MADV_DONTNEED", None)


class Rows:
    """The rows of a dataset whose chunks are one row each.

    Chunks without a filter are copied straight from the file's pages, in less than half the time of
    HDF5, which selects and copies once more. HDF5 reads all other chunks.

    Args:
        dataset: dataset of an open file, (N, ...).

    Attributes:
        shape: shape of one row.
        dtype: type of its values.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset = dataset
        self.shape: tuple[int, ...] = dataset.shape[1:]
        self.dtype: np.dtype[Any] = dataset.dtype
        self._map = _map_of(dataset)
        self._count = len(dataset)
        # Where the bytes of each row begin in the file, -1 for a missing one.
        self._offsets: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Let go of the file's pages; nothing can be read any more."""
        if self._map is not None:
            self._map.close()

    def read_into(self, row: int, out: npt.NDArray[Any]) -> None:
        """Copy a row into ``out``, contiguous, of :attr:`shape` and :attr:`dtype`.

        Raises:
            IndexError: there is no such row.
            UserError: the row is not in the file or cannot be read; it is damaged.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        if self._map is None:
            try:
                self._dataset.read_direct(out, np.s_[row])
            except Exception as error:  # whatever HDF5 and h5py raise on damaged values
                where = f"row {row} of {self._dataset.name}"
                if reason := system_reason(error):
                    file = self._dataset.file.filename
                    raise UserError(f"{file}: {where} cannot be read: {reason}") from None
                raise self._damage(f"{where} cannot be read") from None
            return
        if self._offsets is None:
            self._offsets = self._find_offsets()
        start = int(self._offsets[row])
        size = math.prod(self.shape) * self.dtype.itemsize
        if start < 0 or start + size > len(self._map):
            raise self._damage(f"row {row} of {self._dataset.name} is missing")
        out[...] = np.ndarray(self.shape, self.dtype, self._map, start)
        if _LET_GO is not None:
            # Else every page ever read counts as memory of this process, until the file is closed.
            page = start - start % mmap.PAGESIZE
            self._map.madvise(_LET_GO, page, start - page + out.nbytes)

    def _find_offsets(self) -> npt.NDArray[np.int64]:
        """Return where each row begins, found in one walk over the chunks.

        HDF5 walks over the chunks for each single one that it is asked for, so that a pass over
        50,000 rows would take minutes.
        """
        offsets = np.full(len(self), -1, np.int64)

        def note(chunk: Any) -> None:
            row = chunk.chunk_offset[0]
            if chunk.byte_offset is not None and 0 <= row < len(offsets):
                offsets[row] = chunk.byte_offset

        try:
            self._dataset.id.chunk_iter(note)
        except Exception:  # whatever HDF5 and h5py raise on damaged values
            raise self._damage(f"the rows of {self._dataset.name} cannot be found") from None
        return offsets

    def _damage(self, what: str) -> UserError:
        return UserError(f"{self._dataset.file.filename} is damaged: {what}; prepare it again")


def _map_of(dataset: h5py.Dataset) -> mmap.mmap | None:
    """Map the dataset's file into memory; return None if its rows are not in it byte for byte."""
    file = dataset.file
    creation = dataset.id.get_create_plist()
    if dataset.chunks != (1, *dataset.shape[1:]) or creation.get_nfilters():
        return None
    if file.driver != "sec2" or file.userblock_size:
        return None
    try:
        # Of the open file, not of its name, which may meanwhile be another's.
        return mmap.mmap(file.id.get_vfd_handle(), 0, access=mmap.ACCESS_READ)
    except OSError:
        # Some network file systems have no memory maps.
        return None
