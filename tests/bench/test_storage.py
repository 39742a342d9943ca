from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from bench import storage

CLIPS = np.random.default_rng(0).integers(0, 256, (9, 2, 8, 8, 4), np.uint8)


@pytest.mark.parametrize("name", storage.LAYOUTS)
def test_every_layout_returns_the_clips_in_any_order(tmp_path: Path, name: str) -> None:
    path = tmp_path / "clips.h5"
    size = storage.write_layout(path, CLIPS, **storage.LAYOUTS[name])
    assert size > 0
    rows = np.array([7, 0, 3])
    with h5py.File(path) as file:
        for read in (
            storage.make_direct_reader(file["frames"]),
            storage.make_list_reader(file["frames"]),
        ):
            assert np.array_equal(read(rows), CLIPS[rows])
        chunk = file["frames"].chunks
    assert chunk[:2] == {"a chunk a frame": (1, 1), "a chunk of 8 clips": (8, 2)}.get(name, (1, 2))
    assert np.array_equal(storage.make_copy_reader(CLIPS)(rows), CLIPS[rows])


def test_every_reader_is_measured(synthetic_data: Path, tmp_path: Path) -> None:
    found = storage.measure(synthetic_data / "ffpp", tmp_path, 16, rounds=1, passes=1)
    rows = {row.what: row for row in found}
    assert {storage.MEMORY, storage.STORE, *storage.LAYOUTS} <= set(rows)
    assert rows[storage.MEMORY].speed == 1
    assert rows[storage.STORE].bytes == 1
    assert 0 < rows["compressed with gzip 4"].bytes < 1
    assert all(row.speed > 0 for row in rows.values())


def test_a_reader_that_returns_other_clips_is_an_error(
    synthetic_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        storage, "make_list_reader", lambda dataset: lambda rows: dataset[np.sort(rows)]
    )
    with pytest.raises(
        RuntimeError, match="by a list of rows returned other clips than were written"
    ):
        list(storage.measure(synthetic_data / "ffpp", tmp_path, 16, rounds=1, passes=1))
