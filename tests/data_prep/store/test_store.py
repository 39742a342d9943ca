"""A store is whole or not there, reads back what was written and refuses what it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_prep.errors import UserError
from data_prep.store.store import SPLITS, Clip, Quarantined, Store, write_store
from data_prep.text import printable


def _clip(number: int, size: int = 8) -> Clip:
    rng = np.random.default_rng(number)
    return Clip(
        key=f"d/m/q/{number}",
        label=number % 2,
        method="fake" if number % 2 else "real",
        quality="c23",
        group=f"person {number // 2}",
        split=SPLITS[number // 2 % 3],
        path=f"/videos/Zoë {number}.mp4",
        sha256="0" * 64,
        frame_indices=np.arange(4),
        frame_times=np.arange(4) / 25,
        boxes=np.zeros((4, 4), np.float32),
        landmarks=np.zeros((4, 5, 2), np.float32),
        scores=np.ones(4, np.float32),
        coverage=1.0,
        frames=rng.integers(0, 256, (4, size, size, 4), np.uint8),
    )


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    path = tmp_path / "store.h5"
    write_store(
        path,
        (_clip(n) for n in range(6)),
        [Quarantined("/videos/caf\udce9.mp4", "decode", "the file is empty")],
        {"clip": {"frames": 4}},
    )
    return path


def test_a_store_reads_back_what_was_written(store_path: Path) -> None:
    with Store(store_path) as store:
        assert len(store) == 6
        assert store.clip_shape == (4, 8, 8, 4)
        assert store.labels.tolist() == [0, 1] * 3
        assert store.paths[3] == "/videos/Zoë 3.mp4"
        assert store.preparation == {"clip": {"frames": 4}}
        assert store.quarantine == [
            Quarantined("/videos/caf\\xe9.mp4", "decode", "the file is empty")
        ]
        for row in range(6):
            np.testing.assert_array_equal(store.read([row])[0], _clip(row).frames)


def test_rows_are_read_in_the_order_asked_for(store_path: Path) -> None:
    with Store(store_path) as store:
        batch = store.read([5, 0, 5])
    np.testing.assert_array_equal(batch, np.stack([_clip(n).frames for n in (5, 0, 5)]))


def test_rows_are_chosen_by_split_and_label(store_path: Path) -> None:
    with Store(store_path) as store:
        assert store.rows("val").tolist() == [2, 3]
        assert store.rows("val", 1).tolist() == [3]


def test_nothing_quarantined_is_no_problem(tmp_path: Path) -> None:
    write_store(tmp_path / "a.h5", [_clip(0)], [], {})
    with Store(tmp_path / "a.h5") as store:
        assert store.quarantine == []


def test_the_fingerprint_follows_the_content_and_not_the_file(tmp_path: Path) -> None:
    first = write_store(tmp_path / "a.h5", [_clip(0), _clip(1)], [], {"x": 1})
    same = write_store(tmp_path / "b.h5", [_clip(0), _clip(1)], [], {"x": 2})
    other = write_store(tmp_path / "c.h5", [_clip(0), _clip(2)], [], {"x": 1})
    assert first == same != other


def test_a_store_that_fails_half_way_leaves_the_old_one(store_path: Path) -> None:
    def failing() -> Iterator[Clip]:
        yield _clip(7)
        raise RuntimeError("power cut")

    before = store_path.read_bytes()
    with pytest.raises(RuntimeError):
        write_store(store_path, failing(), [], {})
    assert store_path.read_bytes() == before
    assert list(store_path.parent.iterdir()) == [store_path]


def test_clips_of_two_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="clip d/m/q/1: frames of shape"):
        write_store(tmp_path / "a.h5", [_clip(0), _clip(1, size=9)], [], {})


def test_no_clip_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no clip to store"):
        write_store(tmp_path / "a.h5", [], [], {})


def test_a_missing_store_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make one with: dfsearch prepare"):
        Store(tmp_path / "none.h5")


def test_a_file_that_is_not_hdf5_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"not hdf5")
    with pytest.raises(UserError, match="is not an HDF5 file, so it is no store"):
        Store(tmp_path / "a.h5")


def test_a_truncated_store_is_refused(store_path: Path) -> None:
    content = store_path.read_bytes()
    store_path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="damaged"):
        Store(store_path)


def test_hdf5_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match="an HDF5 file but not a store"):
        Store(tmp_path / "a.h5")


def test_another_schema_version_is_named(store_path: Path) -> None:
    with h5py.File(store_path, "a") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(UserError, match="has store schema 99, this version reads 2"):
        Store(store_path)


@pytest.mark.parametrize("name", ["frames", "label", "clips/key", "quarantine"])
def test_a_store_with_a_missing_part_is_refused(name: str, store_path: Path) -> None:
    with h5py.File(store_path, "a") as file:
        del file[name]
    with pytest.raises(UserError, match="is not a store or is damaged"):
        Store(store_path)


def test_bytes_that_are_no_text_can_be_shown() -> None:
    assert printable("caf\udce9 面") == "caf\\xe9 面"
