from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bench.accuracy import data
from bench.accuracy.people import assign_folds
from bench.accuracy.rows import ScoreFile
from bench.leak import clips, leak
from bench.leak import table as leak_table
from data_prep.store.store import Clip, Store, write_store

MakeClip = Callable[..., Clip]
FRAMES = 6

ROOT = Path(__file__).parents[3]


def cut_people(make_clip: MakeClip, count: int) -> list[Clip]:
    """Return a real and a fake video of each person, in three pieces each."""
    whole = []
    for person in range(count):
        real = make_clip(f"p{person}", count=FRAMES, shortcuts={})
        fake = make_clip(f"p{person}", "swap", FRAMES, crop_source=real.key, shortcuts={})
        whole += [real, fake]
    return [piece for clip in whole for piece in clips.cut(clip, 3)]


@pytest.fixture
def cut_store(make_clip: MakeClip, tmp_path: Path) -> Path:
    path = tmp_path / "pieces.h5"
    write_store(path, cut_people(make_clip, 24), [], {"synthetic": True})
    return path


def sides(store: Store, seed: int = 0) -> dict[str, npt.NDArray[np.str_]]:
    return clips.assign_splits(store.groups, store.paths, 1, seed)


def test_pieces_hold_the_frames_of_a_clip_in_order(make_clip: MakeClip) -> None:
    real = make_clip("anna", count=7)
    fake = make_clip("anna", "swap", 7, crop_source=real.key)
    whole = [clips.cut(clip, 3) for clip in (real, fake)]
    for clip, found in zip((real, fake), whole, strict=True):
        assert [len(piece.frames) for piece in found] == [3, 2, 2]
        np.testing.assert_array_equal(np.concatenate([p.frames for p in found]), clip.frames)
        np.testing.assert_array_equal(np.concatenate([p.boxes for p in found]), clip.boxes)
        assert len({piece.key for piece in found}) == 3
        assert {piece.path for piece in found} == {clip.path}
    assert [piece.crop_source for piece in whole[1]] == [piece.key for piece in whole[0]]


def test_half_of_the_reals_are_labelled_as_fake(
    make_clip: MakeClip,
) -> None:
    people = [f"p{number}" for number in range(8)]
    whole = [make_clip(one, kind) for one in people for kind in ("real", "swap")]
    found = clips.draw_labels(whole)
    assert [clip.key for clip in found] == [clip.key for clip in whole if not clip.label]
    assert sum(clip.label for clip in found) == 4
    assert {clip.method for clip in found if clip.label} == {"coin"}


def test_people_apart_are_in_one_split_each(cut_store: Path) -> None:
    with Store(cut_store) as store:
        apart = sides(store)[clips.APART]
        people = [set(store.groups[apart == split]) for split in ("train", "val", "test")]
        assert all(people)
        assert not any(a & b for a, b in zip(people, people[1:] + people[:1], strict=True))
        fold = assign_folds(store.groups.tolist())
        assert {fold[person] for person in people[2]} == {1}


def test_a_random_split_trains_on_other_pieces_of_the_test_videos(cut_store: Path) -> None:
    with Store(cut_store) as store:
        found = sides(store)[clips.RANDOM]
        tested = set(store.paths[found == "test"])
        shared = tested & set(store.paths[found == "train"])
        assert len(shared) > len(tested) / 2


def test_both_splits_have_the_same_test_pieces_and_equal_sizes(cut_store: Path) -> None:
    with Store(cut_store) as store:
        first, second = sides(store), sides(store, seed=1)
        for split in ("train", "val", "test"):
            counts = {int((first[way] == split).sum()) for way in clips.WAYS}
            assert len(counts) == 1
        tested = [found[way] == "test" for found in (first, second) for way in clips.WAYS]
        assert all(np.array_equal(tested[0], other) for other in tested)
        videos = store.paths[tested[0]]
        assert len(set(videos)) == len(videos) == 12
        assert not np.array_equal(first[clips.RANDOM], second[clips.RANDOM])
        assert np.array_equal(first[clips.APART], second[clips.APART])


def memorise(store: Store, seed: int, training: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Return the labels of training videos, and random scores of other videos."""
    train, test = store.rows("train"), store.rows("test")
    known = dict(zip(store.paths[train], store.labels[train], strict=True))
    rng = np.random.default_rng(seed)
    return np.array([known.get(path, rng.random()) for path in store.paths[test]], np.float64)


def test_a_model_that_memorises_is_inflated_by_the_random_split(
    cut_store: Path, tmp_path: Path
) -> None:
    calls = []

    def train(store: Store, seed: int, training: dict[str, Any]) -> npt.NDArray[np.float64]:
        calls.append(seed)
        return memorise(store, seed, training)

    kept = ScoreFile(tmp_path / "leak.jsonl")
    one = clips.ClipSet("set", cut_store, (0, 1))
    found = leak.measure(one, [0, 1, 2], {"epochs": 1}, kept, train)
    assert (found.videos, found.people, found.trainings) == (24, 12, 3)
    assert found.auc[clips.RANDOM].value > 0.8
    assert 0.3 < found.auc[clips.APART].value < 0.7
    assert found.difference.interval is not None
    assert found.difference.interval[0] > 0
    assert np.mean(found.seeds) == pytest.approx(found.difference.value)
    assert leak_table.describe(found).endswith("), significant.")
    assert calls == [0, 1, 2] * 4

    again = leak.measure(one, [0, 1, 2], {"epochs": 1}, kept, train)
    assert again.difference == found.difference
    assert len(calls) == 12
    leak.measure(one, [0], {"epochs": 2}, kept, train)
    assert len(calls) == 16


def test_few_people_give_no_interval(make_clip: MakeClip, tmp_path: Path) -> None:
    path = tmp_path / "few.h5"
    write_store(path, cut_people(make_clip, 8), [], {})
    one = clips.ClipSet("set", path, (1,))
    found = leak.measure(one, [0], {}, ScoreFile(tmp_path / "leak.jsonl"), memorise)
    assert found.difference.interval is None
    assert "too few people" in leak_table.describe(found)


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != data.VARIABLE}
    command = [sys.executable, "-m", "bench.leak", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )


@pytest.mark.slow
def test_synthetic_sets_are_cut_trained_and_printed_as_json(tmp_path: Path) -> None:
    done = bench("--keep", tmp_path, "--quick", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [one["name"] for one in found] == [clips.NAMES[name] for name in clips.SETS[:2]]
    assert all(one["synthetic"] and one["trainings"] == 1 for one in found)
    for one in found:
        (inflation,) = one["seeds"]
        both = [one["auc"][way]["value"] for way in clips.WAYS]
        assert inflation == pytest.approx(both[0] - both[1])
        assert all(0 <= auc <= 1 for auc in both)
    again = bench("--keep", tmp_path, "--quick", "--json")
    assert again.stdout == done.stdout
    assert " s\n" not in again.stderr


def test_invalid_seeds_are_a_one_line_error(tmp_path: Path) -> None:
    done = bench("--keep", tmp_path, "--seeds", "one")
    assert done.returncode == 2
    assert done.stderr == "error: --seeds takes whole numbers such as 0,1,2, not one\n"


def test_an_unknown_set_is_a_one_line_error(tmp_path: Path) -> None:
    done = bench("--keep", tmp_path, "--sets", "coin,faces")
    assert done.returncode == 2
    assert done.stderr == "error: unknown set faces: choose from coin, blended, real\n"
