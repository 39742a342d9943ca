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
from bench.accuracy.people import folds_of
from bench.accuracy.rows import Kept
from bench.leak import clips, leak
from bench.leak import table as leak_table
from data_prep.store.store import Clip, Store, write_store

MakeClip = Callable[..., Clip]
FRAMES = 6

ROOT = Path(__file__).parents[3]


def cut_people(make_clip: MakeClip, count: int) -> list[Clip]:
    """Of each person a real and a fake video, in three pieces each."""
    whole = []
    for person in range(count):
        real = make_clip(f"p{person}", count=FRAMES, shortcuts={})
        fake = make_clip(f"p{person}", "swap", FRAMES, crop_source=real.key, shortcuts={})
        whole += [real, fake]
    return [piece for clip in whole for piece in clips.pieces(clip, 3)]


@pytest.fixture
def cut_store(make_clip: MakeClip, tmp_path: Path) -> Path:
    path = tmp_path / "pieces.h5"
    write_store(path, cut_people(make_clip, 24), [], {"synthetic": True})
    return path


def sides(store: Store, seed: int = 0) -> dict[str, npt.NDArray[np.str_]]:
    return clips.dealt(store.groups, store.paths, 1, seed)


def test_pieces_are_the_frames_of_a_clip_in_their_order(make_clip: MakeClip) -> None:
    real = make_clip("anna", count=7)
    fake = make_clip("anna", "swap", 7, crop_source=real.key)
    whole = [clips.pieces(clip, 3) for clip in (real, fake)]
    for clip, found in zip((real, fake), whole, strict=True):
        assert [len(piece.frames) for piece in found] == [3, 2, 2]
        np.testing.assert_array_equal(np.concatenate([p.frames for p in found]), clip.frames)
        np.testing.assert_array_equal(np.concatenate([p.boxes for p in found]), clip.boxes)
        assert len({piece.key for piece in found}) == 3
        assert {piece.path for piece in found} == {clip.path}
    assert [piece.crop_source for piece in whole[1]] == [piece.key for piece in whole[0]]


def test_a_coin_calls_half_of_the_reals_fake_and_changes_nothing_else(make_clip: MakeClip) -> None:
    people = [f"p{number}" for number in range(8)]
    whole = [make_clip(one, kind) for one in people for kind in ("real", "swap")]
    found = clips.by_coin(whole)
    assert [clip.key for clip in found] == [clip.key for clip in whole if not clip.label]
    assert sum(clip.label for clip in found) == 4
    assert {clip.method for clip in found if clip.label} == {"coin"}


def test_nobody_is_on_two_sides_when_people_are_apart(cut_store: Path) -> None:
    with Store(cut_store) as store:
        apart = sides(store)[clips.APART]
        people = [set(store.groups[apart == split]) for split in ("train", "val", "test")]
        assert all(people)
        assert not any(a & b for a, b in zip(people, people[1:] + people[:1], strict=True))
        fold = folds_of(store.groups.tolist())
        assert {fold[person] for person in people[2]} == {1}


def test_at_random_other_pieces_of_the_tested_videos_are_trained_on(cut_store: Path) -> None:
    with Store(cut_store) as store:
        found = sides(store)[clips.RANDOM]
        tested = set(store.paths[found == "test"])
        shared = tested & set(store.paths[found == "train"])
        assert len(shared) > len(tested) / 2


def test_both_ways_test_the_same_pieces_and_train_on_as_many(cut_store: Path) -> None:
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


def remembering(store: Store, seed: int, training: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Scores of who knows the label of every video trained on, and guesses that of the others."""
    train, test = store.rows("train"), store.rows("test")
    known = dict(zip(store.paths[train], store.labels[train], strict=True))
    rng = np.random.default_rng(seed)
    return np.array([known.get(path, rng.random()) for path in store.paths[test]], np.float64)


def test_what_is_remembered_is_made_up_by_the_split_and_trained_once(
    cut_store: Path, tmp_path: Path
) -> None:
    calls = []

    def train(store: Store, seed: int, training: dict[str, Any]) -> npt.NDArray[np.float64]:
        calls.append(seed)
        return remembering(store, seed, training)

    kept = Kept(tmp_path / "leak.jsonl")
    one = clips.ClipSet("set", cut_store, (0, 1))
    found = leak.scored(one, [0, 1, 2], {"epochs": 1}, kept, train)
    assert (found.videos, found.people, found.trainings) == (24, 12, 3)
    assert found.auc[clips.RANDOM].value > 0.8
    assert 0.3 < found.auc[clips.APART].value < 0.7
    assert found.ahead.interval is not None
    assert found.ahead.interval[0] > 0
    assert np.mean(found.seeds) == pytest.approx(found.ahead.value)
    assert leak_table.sentence(found).endswith(": told from nothing.")
    assert calls == [0, 1, 2] * 4

    again = leak.scored(one, [0, 1, 2], {"epochs": 1}, kept, train)
    assert again.ahead == found.ahead
    assert len(calls) == 12
    leak.scored(one, [0], {"epochs": 2}, kept, train)
    assert len(calls) == 16


def test_of_few_people_there_is_no_interval(make_clip: MakeClip, tmp_path: Path) -> None:
    path = tmp_path / "few.h5"
    write_store(path, cut_people(make_clip, 8), [], {})
    one = clips.ClipSet("set", path, (1,))
    found = leak.scored(one, [0], {}, Kept(tmp_path / "leak.jsonl"), remembering)
    assert found.ahead.interval is None
    assert "too few people" in leak_table.sentence(found)


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != data.VARIABLE}
    command = [sys.executable, "-m", "bench.leak", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False
    )


@pytest.mark.slow
def test_a_drawn_set_is_cut_trained_on_and_told_to_programs(tmp_path: Path) -> None:
    done = bench("--keep", tmp_path, "--quick", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [one["name"] for one in found] == [clips.NAMES[name] for name in clips.SETS[:2]]
    assert all(one["synthetic"] and one["trainings"] == 1 for one in found)
    for one in found:
        (made_up,) = one["seeds"]
        both = [one["auc"][way]["value"] for way in clips.WAYS]
        assert made_up == pytest.approx(both[0] - both[1])
        assert all(0 <= auc <= 1 for auc in both)
    again = bench("--keep", tmp_path, "--quick", "--json")
    assert again.stdout == done.stdout
    assert " s\n" not in again.stderr


def test_seeds_that_are_no_numbers_are_one_clear_line(tmp_path: Path) -> None:
    done = bench("--keep", tmp_path, "--seeds", "one")
    assert done.returncode == 2
    assert done.stderr == "error: --seeds takes whole numbers, as 0,1,2, not one\n"


def test_a_set_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    done = bench("--keep", tmp_path, "--sets", "coin,faces")
    assert done.returncode == 2
    assert done.stderr == "error: there is no set faces: name some of coin, blended, real\n"
