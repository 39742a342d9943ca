"""Rows come out as HDF5 gives them, whether they are mapped or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from data_prep.errors import UserError
from data_prep.store.rows import Rows

ROWS = np.random.default_rng(0).integers(0, 256, (5, 3, 4), np.uint8)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[h5py.File]:
    with h5py.File(tmp_path / "rows.h5", "w", libver="v110") as file:
        yield file


def _opened(file: h5py.File, **layout: Any) -> Rows:
    file.create_dataset("rows", data=ROWS, maxshape=(None, *ROWS.shape[1:]), **layout)
    file.flush()
    return Rows(file["rows"])


def _all(rows: Rows) -> list[Any]:
    out = np.zeros((len(rows), *rows.shape), rows.dtype)
    for row in reversed(range(len(rows))):
        rows.read_into(row, out[row])
    return list(out.tolist())


@pytest.mark.parametrize(
    ("layout", "mapped"),
    [
        ({"chunks": (1, 3, 4)}, True),
        ({"chunks": (2, 3, 4)}, False),
        ({"chunks": (1, 3, 4), "compression": "gzip"}, False),
        ({"chunks": (1, 3, 4), "shuffle": True}, False),
    ],
)
def test_rows_come_out_as_written_in_any_layout(
    file: h5py.File, layout: dict[str, Any], mapped: bool
) -> None:
    rows = _opened(file, **layout)
    assert (rows._map is not None) is mapped
    assert _all(rows) == ROWS.tolist()
    assert _all(rows) == ROWS.tolist()


def test_a_file_that_begins_with_something_else_is_not_mapped(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "rows.h5", "w", userblock_size=512) as file:
        rows = _opened(file, chunks=(1, 3, 4))
        assert rows._map is None
        assert _all(rows) == ROWS.tolist()


def test_types_keep_their_byte_order(file: h5py.File) -> None:
    values = np.arange(6, dtype=">f4").reshape(3, 2)
    file.create_dataset("rows", data=values, chunks=(1, 2))
    file.flush()
    assert _all(Rows(file["rows"])) == values.tolist()


@pytest.mark.parametrize("row", [-1, 5])
def test_a_row_that_is_not_there_is_refused(file: h5py.File, row: int) -> None:
    rows = _opened(file, chunks=(1, 3, 4))
    with pytest.raises(IndexError, match="of 5"):
        rows.read_into(row, np.empty(rows.shape, rows.dtype))


def test_a_row_that_was_never_written_is_damage(file: h5py.File) -> None:
    file.create_dataset("rows", (2, 3), np.uint8, chunks=(1, 3))[0] = 1
    file.flush()
    rows = Rows(file["rows"])
    with pytest.raises(UserError, match=r"row 1 of /rows is missing; prepare it again"):
        rows.read_into(1, np.empty(3, np.uint8))


def test_the_file_opened_is_read_even_if_another_takes_its_name(tmp_path: Path) -> None:
    for name, value in (("old.h5", 1), ("new.h5", 2)):
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset("rows", data=np.full((2, 3), value, np.uint8), chunks=(1, 3))
    with h5py.File(tmp_path / "old.h5") as file:
        (tmp_path / "new.h5").replace(tmp_path / "old.h5")
        assert _all(Rows(file["rows"])) == [[1] * 3] * 2


def test_nothing_is_read_after_closing(file: h5py.File) -> None:
    rows = _opened(file, chunks=(1, 3, 4))
    rows.close()
    with pytest.raises(ValueError, match="closed"):
        rows.read_into(0, np.empty(rows.shape, rows.dtype))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells memory by /proc")
def test_what_was_read_is_not_kept_in_memory(file: h5py.File) -> None:
    many = np.random.default_rng(0).integers(0, 256, (32, 2**20), np.uint8)
    file.create_dataset("many", data=many, chunks=(1, 2**20))
    file.flush()
    rows = Rows(file["many"])
    out = np.empty(2**20, np.uint8)
    before = _pages_of_files()
    for row in range(len(rows)):
        rows.read_into(row, out)
        assert (out == many[row]).all()
    assert _pages_of_files() - before < 2**22
    rows.close()


def _pages_of_files() -> int:
    """Bytes of mapped files that this process holds in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("RssFile:")]
    return 1024 * int(line.split()[1])
