from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.accuracy import data
from data_prep.errors import UserError
from data_prep.store.store import Clip, Store, write_store
from data_prep.video.grey import with_grey

MakeClip = Callable[..., Clip]


def write_foreign_store(path: Path, make_clip: MakeClip, *, split: str = "train") -> Path:
    """Write a prepared store of other people, with clips of the training size."""
    clips = []
    for number, person in enumerate(("ulla", "vera")):
        rng = np.random.default_rng(number)
        noise = rng.integers(0, 255, (data.FRAMES, data.SIDE, data.SIDE, 3)).astype(np.uint8)
        frames = with_grey(np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in noise]))
        real = make_clip(person, count=data.FRAMES, frames=frames, split=split)
        soft = with_grey(
            np.stack([cv2.GaussianBlur(frame, (0, 0), 1) for frame in frames[..., :3]])
        )
        fake = make_clip(person, "swap", count=data.FRAMES, frames=soft, crop_source=real.key)
        clips += [real, dataclasses.replace(fake, split=split)]
    write_store(path, clips, [], {"clip": {}})
    return path


@pytest.fixture
def use_synthetic_data(synthetic_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(data.VARIABLE, str(synthetic_data))


@pytest.mark.slow
@pytest.mark.usefixtures("use_synthetic_data")
def test_stores_follow_the_official_lists_and_are_made_once(kept: Path) -> None:
    train, tests = data.make_train_store(kept), data.make_test_stores(kept)
    assert set(tests) == {data.FACE_FORENSICS}
    with Store(train) as ours, Store(tests[data.FACE_FORENSICS]) as theirs:
        assert ours.is_synthetic
        assert ours.clip_shape == (data.FRAMES, data.SIDE, data.SIDE, 4)
        forged = np.char.startswith(ours.keys, data.FACE_FORENSICS)
        assert set(ours.groups[forged]).isdisjoint(theirs.groups)
        assert set(theirs.splits) == {"test"}
        assert set(ours.splits[forged & (ours.labels == 1)]) == {"train", "val"}
        # All stills are clips of equal frames, material for pseudo-fakes alone.
        stills = np.flatnonzero(np.char.startswith(ours.keys, "faces_lfw"))
        assert len(stills) == 6
        assert not ours.labels[stills].any()
        assert (ours.read(stills) == ours.read(stills)[:, :1]).all()
        assert ours.real_only[stills].all()
        assert not ours.real_only[forged].any()
        assert set(ours.splits[stills]) <= {"train", "val"}
        assert len(set(ours.groups[stills])) == 3
    with Store(data.make_train_store(kept, extras=False)) as plain:
        assert plain.keys.tolist() == ours.keys[forged].tolist()
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*.h5")}
    data.make_train_store(kept)
    data.make_test_stores(kept)
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*.h5")} == before


@pytest.mark.slow
@pytest.mark.usefixtures("use_synthetic_data")
def test_the_people_of_a_fold_are_not_in_its_training_store(kept: Path) -> None:
    train, test = data.make_fold_stores(kept, 1, extras=False)
    with Store(train) as ours, Store(test) as theirs:
        assert set(ours.groups).isdisjoint(theirs.groups)
        assert set(ours.splits) == {"train", "val"}
        assert len(ours) + len(theirs) == 16


def test_a_foreign_store_is_tested_on_its_test_split_or_whole(
    tmp_path: Path, make_clip: MakeClip
) -> None:
    (tmp_path / "stores").mkdir()
    whole = data.make_test_set(tmp_path, "other", write_foreign_store(tmp_path / "a.h5", make_clip))
    assert (whole.name, whole.split) == ("other", "all")
    tested = data.make_test_set(
        tmp_path, "other", write_foreign_store(tmp_path / "b.h5", make_clip, split="test")
    )
    assert tested.split == "test"
    with Store(tested.matched) as matched:
        assert matched.labels.tolist() == [1, 0, 1, 0]
        sharp = matched.shortcuts["sharpness"]
        np.testing.assert_allclose(sharp[::2], sharp[1::2], rtol=0.02)


def test_a_store_without_pairs_has_no_matched_store(tmp_path: Path, make_clip: MakeClip) -> None:
    (tmp_path / "stores").mkdir()
    with Store(write_foreign_store(tmp_path / "a.h5", make_clip)) as store:
        shape = store.clip_shape
    values = {"count": shape[0], "frames": np.zeros(shape, np.uint8)}
    clips = [make_clip("xena", **values), make_clip("yara", "swap", **values)]
    write_store(tmp_path / "c.h5", clips, [], {"clip": {}})
    for _ in range(2):
        assert data.make_test_set(tmp_path, "other", tmp_path / "c.h5").matched is None


@pytest.mark.parametrize(("frames", "side"), [(3, 64), (16, 200), (1, 128)])
def test_clips_of_another_size_are_converted_to_the_training_size(
    tmp_path: Path, make_clip: MakeClip, frames: int, side: int
) -> None:
    (tmp_path / "stores").mkdir()
    levels = np.linspace(10, 240, frames).astype(np.uint8)
    shape = (frames, side, side, 4)
    flat = np.broadcast_to(levels[:, None, None, None], shape).copy()
    clips = [
        make_clip(person, method, count=frames, frames=flat)
        for person, method in (("anna", "real"), ("bert", "swap"))
    ]
    write_store(tmp_path / "other.h5", clips, [], {"clip": {}})
    tested = data.make_test_set(tmp_path, "other", tmp_path / "other.h5")
    with Store(tested.path) as store:
        assert store.clip_shape == (data.FRAMES, data.SIDE, data.SIDE, 4)
        shown = store.read([0])[0][:, 0, 0, 0].tolist()
        places = np.round(np.linspace(0, frames - 1, data.FRAMES)).astype(int)
        assert shown == levels[places].tolist()
        assert store.clip_field("frame_times").shape == (2, data.FRAMES)
    assert data.make_test_set(tmp_path, "other", tmp_path / "other.h5").path == tested.path


def test_missing_real_data_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(data.VARIABLE, raising=False)
    with pytest.raises(UserError, match="DFSEARCH_REAL_DATA is not set: name the folder"):
        data.make_train_store(tmp_path)
    monkeypatch.setenv(data.VARIABLE, str(tmp_path))
    with pytest.raises(UserError, match="which has no ffpp/"):
        data.make_train_store(tmp_path)


@pytest.mark.slow
def test_real_training_and_test_people_do_not_overlap(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "ffpp").symlink_to(real_data / "ffpp")
    monkeypatch.setenv(data.VARIABLE, str(folder))
    train = data.make_train_store(tmp_path / "kept", extras=False)
    (test,) = data.make_test_stores(tmp_path / "kept").values()
    with Store(train) as ours, Store(test) as theirs:
        assert set(ours.groups).isdisjoint(theirs.groups)
        assert all(source in theirs.keys for source in theirs.crop_sources[theirs.labels == 1])
