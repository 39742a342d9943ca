"""What a run keeps of its validation clips, and what becomes of files that are damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from artifacts.leaderboard.validation_split import (
    SCORES,
    ValidationSplit,
    read_scores,
    write_scores,
)
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.store.store import Clip, Store, write_store
from search.studies.run_state import RunState


@pytest.fixture(scope="module")
def store_path(make_clip: Callable[..., Clip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which fakes are smaller files and wider, in training; in validation narrower."""
    clips = []
    for person in range(12):
        split = "train" if person < 6 else "val"
        for label, kind in enumerate(("real", "Drawn")):
            shortcuts = {
                "file_size": 1000.0 + person - 100 * label,
                "width": 100.0 + person + 50 * label * (1 if split == "train" else -1),
                "fps": 25.0,
            }
            clips.append(make_clip(f"p{person}", kind, count=1, split=split, shortcuts=shortcuts))
    path = tmp_path_factory.mktemp("store") / "store.h5"
    write_store(path, clips, [], {})
    return path


@pytest.fixture
def run(store_path: Path, tmp_path: Path) -> RunDirectory:
    """A run on that store that has kept nothing yet."""
    run = RunDirectory(tmp_path)
    run.config.write_text(f'store = "{store_path}"\n')
    with Store(store_path) as store:
        RunState.begin(run, store.fingerprint)
    return run


def _same(one: ValidationSplit, other: ValidationSplit) -> bool:
    arrays = [(one.labels, other.labels), (one.groups, other.groups)]
    arrays += [(a.scores, b.scores) for a, b in zip(one.baselines, other.baselines, strict=True)]
    names = [(a.quantity, a.higher_is_fake) for a in one.baselines]
    return names == [(b.quantity, b.higher_is_fake) for b in other.baselines] and all(
        np.array_equal(a, b) for a, b in arrays
    )


def test_which_way_round_a_quantity_is_follows_from_the_training_split(store_path: Path) -> None:
    with Store(store_path) as store:
        split = ValidationSplit.from_store(store)
        val = store.rows("val")
        assert {one.quantity: one.higher_is_fake for one in split.baselines} == {
            "file_size": False,
            "width": True,
        }
        (size,) = (one for one in split.baselines if one.quantity == "file_size")
        np.testing.assert_array_equal(size.scores, -store.shortcuts["file_size"][val])


def test_a_run_reads_what_it_wrote_without_its_store(store_path: Path, run: RunDirectory) -> None:
    with Store(store_path) as store:
        split = ValidationSplit.from_store(store)
    split.write(run)
    run.config.write_text('store = "gone.h5"\n')
    assert _same(ValidationSplit.read(run), split)


@pytest.mark.parametrize(
    "content", [None, b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00v\x00{}", b"none of these"]
)
def test_a_run_that_has_not_written_it_or_lost_it_asks_its_store(
    store_path: Path, run: RunDirectory, content: bytes | None
) -> None:
    if content is not None:
        run.validation.write_bytes(content)
    with Store(store_path) as store:
        assert _same(ValidationSplit.read(run), ValidationSplit.from_store(store))


@pytest.mark.parametrize(
    "changed",
    [
        {"label": np.zeros(12, np.uint8)},
        {"group": np.array(["a"])},
        {"score": np.full((2, 12), np.nan)},
        {"quantity": np.array(["width"], object)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_arrays_that_do_not_fit_each_other_are_not_believed(
    store_path: Path, run: RunDirectory, changed: dict[str, np.ndarray]
) -> None:
    with Store(store_path) as store:
        split = ValidationSplit.from_store(store)
    split.write(run)
    with np.load(run.validation) as held:
        arrays = dict(held)
    np.savez(run.validation, **(arrays | changed))
    assert _same(ValidationSplit.read(run), split)


def test_a_run_without_its_store_says_so(run: RunDirectory, tmp_path: Path) -> None:
    RunState.begin(run, "another")
    with pytest.raises(UserError, match="is not the store that"):
        ValidationSplit.read(run)
    run.config.write_text('store = "gone.h5"\n')
    with pytest.raises(UserError, match="no store at"):
        ValidationSplit.read(run)
    run.config.write_text("seed = 1\n")
    with pytest.raises(UserError, match="names no store"):
        ValidationSplit.read(run)


def test_scores_of_a_trial_are_read_back_or_not_there(tmp_path: Path) -> None:
    assert read_scores(tmp_path, 3) is None
    scores = np.array([0.1, 0.5, 0.9], np.float32)
    write_scores(tmp_path, scores)
    found = read_scores(tmp_path, 3)
    assert found is not None
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, scores)
    assert [path.name for path in tmp_path.iterdir()] == [SCORES]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-4]),
        lambda path: path.write_bytes(b""),
        lambda path: np.save(path, np.array([0.1, np.nan, 0.2])),
        lambda path: np.save(path, np.array([0.1, 0.2])),
        lambda path: np.save(path, np.array(["a", "b", "c"])),
        lambda path: np.save(path, np.array([{}, 1, 2], object), allow_pickle=True),
        lambda path: path.with_suffix(".npz").rename(path),
        lambda path: path.write_bytes(path.read_bytes().replace(b"}", b" ", 1)),
    ],
    ids=["cut", "empty", "nan", "short", "text", "objects", "archive", "header"],
)
def test_damaged_scores_are_none(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    write_scores(tmp_path, np.array([0.1, 0.5, 0.9]))
    np.savez(tmp_path / "validation.npz", label=np.zeros(3))
    damage(tmp_path / SCORES)
    assert read_scores(tmp_path, 3) is None
