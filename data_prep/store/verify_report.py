"""Problems of a store, and reading of its datasets with every failure noted as a problem."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.store.objects import ObjectError

# Rows with the same problem that are named; the others are counted.
_NAMED = 3


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is not as a store promises.

    Attributes:
        where: the file, dataset and row.
        what: description of the fault and of the expected value.
    """

    where: str
    what: str


class Report:
    """Problems as they are found."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.file = ""

    def add(self, where: str, what: str) -> None:
        self.problems.append(Problem(f"{self.file} {where}".strip(), what))

    def add_rows(self, where: str, bad: npt.ArrayLike, what: str) -> None:
        """Add one problem for all bad rows, bool (N,) or (N, ...)."""
        marks = np.asarray(bad, bool)
        rows = np.flatnonzero(marks.any(axis=tuple(range(1, marks.ndim))))
        if not len(rows):
            return
        named = ", ".join(map(str, rows[:_NAMED].tolist()))
        more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
        self.add(f"{where} row {named}{more}", what)

    @contextlib.contextmanager
    def reading(self, where: str) -> Iterator[None]:
        """Turn every exception in the block into a problem.

        Damage can make HDF5 and h5py fail in any way.
        """
        try:
            yield
        except (UserError, ObjectError):
            raise
        except Exception as error:
            text = " ".join(str(error).split())
            self.add(where, f"cannot be read: {type(error).__name__}: {text}"[:300])


def find_dataset(file: h5py.File, name: str, report: Report) -> h5py.Dataset | None:
    """Return a dataset with rows, ``None`` if it is missing or another object."""
    with report.reading(f"/{name}"):
        found = file.get(name)
        if isinstance(found, h5py.Dataset) and found.ndim:
            return found
        report.add(f"/{name}", "is missing" if found is None else "is not a dataset with rows")
    return None


def has_shape(
    dataset: h5py.Dataset, where: str, shape: tuple[Any, ...], kinds: str, report: Report
) -> bool:
    """Return whether kind and shape are as expected; a final ellipsis allows more axes."""
    fixed = shape[:-1] if shape[-1] is ... else shape
    right = dataset.shape[: len(fixed)] == fixed and (
        shape[-1] is ... or dataset.ndim == len(shape)
    )
    if not right:
        expected = ", ".join("..." if side is ... else str(side) for side in shape)
        report.add(where, f"has shape {dataset.shape}, expected ({expected})")
    if dataset.dtype.kind not in kinds:
        report.add(where, f"has the unexpected type {dataset.dtype}")
        return False
    return right


def read_numbers(
    file: h5py.File, name: str, shape: tuple[int, ...], kinds: str, report: Report
) -> npt.NDArray[Any] | None:
    """Read all values of a dataset of this shape and kind, ``None`` if it differs."""
    dataset = find_dataset(file, name, report)
    with report.reading(f"/{name}"):
        if dataset is not None and has_shape(dataset, f"/{name}", shape, kinds, report):
            return np.asarray(dataset[...])
    return None


def read_texts(file: h5py.File, name: str, count: int, report: Report) -> list[str] | None:
    """Read all texts of a dataset of this length, ``None`` if it differs."""
    dataset = find_dataset(file, name, report)
    with report.reading(f"/{name}"):
        if dataset is None or not has_shape(dataset, f"/{name}", (count,), "O", report):
            return None
        return [str(text) for text in dataset.asstr()[...]]
    return None
