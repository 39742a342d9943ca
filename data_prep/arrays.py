"""Arrays of files that other people may have made, without pickle and within a limit."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.files import UnreadableFileError, open_regular

LARGEST_ARRAYS = 2_000_000_000
"""Most bytes that the arrays of one file may take."""


def read_npy(path: Path) -> npt.NDArray[Any]:
    """Read the array of an NPY file.

    Raises:
        OSError: The path leads to no regular file, or to one that is too large or unreadable.
        Exception: NumPy reads damaged files with several errors.
    """
    with open_regular(path, LARGEST_ARRAYS) as file:
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return array


def read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays of an NPZ file.

    Raises:
        OSError: As :func:`read_npy`; or the arrays unpack to too many bytes.
        Exception: NumPy and zipfile read damaged files with several errors.
    """
    with open_regular(path, LARGEST_ARRAYS) as file:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > LARGEST_ARRAYS:
            raise UnreadableFileError(path, f"unpacks to {unpacked:,} bytes")
        file.seek(0)
        with np.load(file, allow_pickle=False) as held:
            return dict(held)
