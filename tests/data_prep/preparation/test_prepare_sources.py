"""Several sources in one store: two sets of synthetic videos, and pictures of real faces alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_prep.audit.audit import LEAK, audit
from data_prep.errors import UserError
from data_prep.preparation.clip import Preparation
from data_prep.preparation.job import PreparationProgress, PreparationSummary
from data_prep.preparation.merge import merge_stores
from data_prep.preparation.prepare import prepare_sources
from data_prep.sources.source import Source, Sources, list_sources
from data_prep.splits.splits import SplitRequest
from data_prep.store.store import Store
from data_prep.store.verify import verify
from data_prep.synthetic.synthesize import synthesize_clip
from data_prep.video.video import read_frames

SMALL = Preparation(frames=4, size=32)
NAMES = ("anna", "ben", "cleo", "dora")
FACES = 6


@pytest.fixture(scope="session")
def drawn(make_once: Callable[..., Path]) -> Path:
    """The folders ``one`` and ``two``, of equal names, and ``faces``, of pictures; SYNTHETIC."""

    def make(folder: Path) -> None:
        for number, source in enumerate(("one", "two", "three")):
            for person, name in enumerate(NAMES):
                seed = 100 * number + person
                for fake, path in ((False, f"real/{name}"), (True, f"fake/{name}_swap")):
                    target = folder / source / f"{path}.mp4"
                    synthesize_clip(target, fake=fake, seed=seed, frames=6, size=128)
        for person in range(FACES):
            video = synthesize_clip(
                folder / "unused.mp4", fake=False, seed=900 + person, frames=2, size=128
            )
            (folder / "faces").mkdir(exist_ok=True)
            frame = read_frames(video, 1).frames[0]
            path = str(folder / "faces" / f"face{person}.png")
            assert cv2.imwrite(path, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    return make_once("several_sources", make)


@pytest.fixture
def sets(drawn: Path, tmp_path: Path) -> Path:
    """A copy of the folders, to be changed."""
    for name in ("one", "two", "three", "faces"):
        shutil.copytree(drawn / name, tmp_path / name)
    return tmp_path


def _prepare(store: Path, *sources: Path | Source, **options: object) -> PreparationSummary:
    listed = tuple(one if isinstance(one, Source) else Source(one) for one in sources)
    return prepare_sources(Sources(listed), store, SMALL, **options)  # type: ignore[arg-type]


def _faces(sets: Path) -> Source:
    return Source(sets / "faces", role="real-only", weight=0.5)


def _count(done: list[int]) -> PreparationProgress:
    return PreparationProgress(preparing=lambda _, total: done.append(total))


@pytest.fixture(scope="session")
def whole(drawn: Path, make_once: Callable[..., Path]) -> Path:
    """A store of both sets and the faces."""

    def make(folder: Path) -> None:
        _prepare(folder / "all.h5", drawn / "one", drawn / "two", _faces(drawn))

    return make_once("several_prepared", make) / "all.h5"


def test_equal_names_in_two_sources_stay_apart(whole: Path) -> None:
    with Store(whole) as store:
        assert len(store) == len(set(store.keys)) == 16 + FACES
        assert {key.partition("/")[0] for key in store.keys} == {"one", "two", "faces"}
        assert set(store.origins.sources) == {"one", "two", "faces"}
        assert set(store.methods) == {"real", "one:fake", "two:fake"}
        assert {"one:anna", "two:anna"} <= set(store.groups)
        assert store.preparation["split"]["policy"] == "sources"
        assert [source["name"] for source in store.preparation["sources"]] == [
            "one",
            "two",
            "faces",
        ]
        for group in set(store.groups):
            assert len(set(store.splits[store.groups == group])) == 1


def test_pictures_of_real_faces_are_repeated_and_marked_and_never_in_test(whole: Path) -> None:
    with Store(whole) as store:
        faces = store.origins.sources == "faces"
        assert set(store.origins.roles[faces]) == {"real-only"}
        assert set(store.origins.roles[~faces]) == {"labelled"}
        np.testing.assert_array_equal(store.origins.stills, faces)
        np.testing.assert_array_equal(store.origins.weights, np.where(faces, 0.5, 1.0))
        assert set(store.splits[faces]) == {"train", "val"}
        for row in np.flatnonzero(faces):
            clip = store.read([row])[0]
            assert clip.shape == (4, 32, 32, 4)
            assert (clip == clip[:1]).all()
        labelled = np.concatenate([store.rows(split) for split in ("train", "val", "test")])
        assert not set(labelled) & set(np.flatnonzero(faces))
        assert store.hashes is not None
        assert store.hashes.any(axis=(1, 2)).all()


def test_such_a_store_is_intact_and_without_leaks(whole: Path) -> None:
    assert not list(verify(whole))
    with Store(whole) as store:
        found = audit(store)
    assert not found.leaks
    assert not [finding for finding in found.findings if finding.severity == LEAK]
    counted = {(row.label, row.split): row.clips for row in found.balance}
    assert sum(clips for (label, _), clips in counted.items() if label == "real-only") == FACES


def test_the_order_of_sources_does_not_matter(sets: Path, whole: Path) -> None:
    other = _prepare(sets / "other.h5", _faces(sets), sets / "two", sets / "one")
    with Store(whole) as first, Store(sets / "other.h5") as second:
        assert other.clips == len(first)
        np.testing.assert_array_equal(first.keys, second.keys)
        np.testing.assert_array_equal(first.splits, second.splits)


def test_one_picture_in_two_sources_is_one_group(sets: Path) -> None:
    # Another size in bytes, the same picture: no copy of the file.
    original = (sets / "one/real/anna.mp4").read_bytes()
    (sets / "two/real/ben.mp4").write_bytes(original + b"\0\0\0\x10free--------")
    _prepare(sets / "all.h5", sets / "one", sets / "two")
    with Store(sets / "all.h5") as store:
        group = dict(zip(store.keys.tolist(), store.groups.tolist(), strict=True))
        assert group["one/real/unknown/anna"] == group["two/real/unknown/ben"]
        assert group["one/real/unknown/anna"] == group["two/fake/unknown/ben_swap"]
        assert not audit(store).leaks


def test_real_only_sources_alone_are_refused(sets: Path) -> None:
    with pytest.raises(UserError, match="every source is real-only"):
        _prepare(sets / "all.h5", _faces(sets))


def test_a_list_of_sources_is_prepared(sets: Path) -> None:
    (sets / "sources.toml").write_text(
        'same_people = [["one:anna", "two:anna"]]\n'
        '[[source]]\npath = "one"\n'
        '[[source]]\npath = "two"\nsplit = "train"\n'
        '[[source]]\npath = "faces"\nrole = "real-only"\n'
    )
    prepare_sources(list_sources([sets / "sources.toml"]), sets / "all.h5", SMALL)
    with Store(sets / "all.h5") as store:
        two = store.origins.sources == "two"
        assert set(store.splits[two]) == {"train"}
        anna = [row for row, key in enumerate(store.keys) if key.endswith("/anna")]
        assert len(set(store.groups[anna])) == 1
        assert set(store.splits[anna]) == {"train"}
        assert {"val", "test"} <= set(store.splits[store.origins.sources == "one"])


# Added later.


def test_adding_prepares_only_what_is_new_and_keeps_every_split(sets: Path) -> None:
    store_path, totals = sets / "all.h5", []
    _prepare(store_path, sets / "one", sets / "two")
    with Store(store_path) as store:
        before = dict(zip(store.keys.tolist(), store.splits.tolist(), strict=True))
        frames = store.read(range(len(store)))
        keys = store.keys
    summary = _prepare(store_path, sets / "three", _faces(sets), add=True, progress=_count(totals))
    assert set(totals) == {8 + FACES}
    assert summary.clips == 24 + FACES
    with Store(store_path) as store:
        after = dict(zip(store.keys.tolist(), store.splits.tolist(), strict=True))
        assert {key: after[key] for key in before} == before
        rows = [store.keys.tolist().index(key) for key in keys]
        np.testing.assert_array_equal(store.read(rows), frames)
        assert [source["name"] for source in store.preparation["sources"]] == [
            *("one", "two", "three", "faces")
        ]
        assert not audit(store).leaks
    assert not list(verify(store_path))


def test_a_source_is_added_to_a_store_of_one_source(sets: Path) -> None:
    store_path = sets / "all.h5"
    _prepare(store_path, sets / "one")
    _prepare(store_path, sets / "two", add=True)
    with Store(store_path) as store:
        assert set(store.methods) == {"real", "one:fake", "two:fake"}
        assert {"one:anna", "two:anna"} <= set(store.groups)
        assert len(store) == 16


def test_new_videos_of_a_source_are_added(sets: Path) -> None:
    store_path, totals = sets / "all.h5", []
    _prepare(store_path, sets / "one", sets / "two")
    shutil.copy(sets / "three/real/anna.mp4", sets / "two/real/emil.mp4")
    _prepare(store_path, sets / "two", add=True, progress=_count(totals))
    assert set(totals) == {1}
    with Store(store_path) as store:
        assert "two/real/unknown/emil" in store.keys


def test_the_same_source_again_and_a_changed_file_are_refused(sets: Path) -> None:
    store_path = sets / "all.h5"
    before = _prepare(store_path, sets / "one", sets / "two").fingerprint
    with pytest.raises(UserError, match="nothing to add"):
        _prepare(store_path, sets / "two", add=True)
    with (sets / "two/real/ben.mp4").open("ab") as file:
        file.write(b"\0\0\0\x10free--------")
    shutil.copy(sets / "three/real/anna.mp4", sets / "two/real/emil.mp4")
    with pytest.raises(UserError, match=r"1 files that .* are of another size by now, e.g. .*ben"):
        _prepare(store_path, sets / "two", add=True)
    with Store(store_path) as store:
        assert store.fingerprint == before


def test_clips_of_other_settings_are_not_added(sets: Path) -> None:
    _prepare(sets / "all.h5", sets / "one")
    listed = Sources((Source(sets / "two"),))
    with pytest.raises(UserError, match="was prepared with frames = 4 and not 8; clips of other"):
        prepare_sources(listed, sets / "all.h5", Preparation(frames=8, size=32), add=True)
    with pytest.raises(UserError, match="no store at"):
        prepare_sources(listed, sets / "none.h5", SMALL, add=True)


# Merged stores.


def _named(sets: Path, name: str, **options: object) -> Source:
    return Source(sets / name, name=name, data_set=name, **options)  # type: ignore[arg-type]


def test_merged_stores_keep_clips_and_splits(sets: Path) -> None:
    _prepare(sets / "a.h5", sets / "one")
    _prepare(sets / "b.h5", sets / "two", _faces(sets))
    summary = merge_stores([sets / "a.h5", sets / "b.h5"], sets / "both.h5")
    assert (summary.stores, summary.clips) == (2, 16 + FACES)
    assert not list(verify(sets / "both.h5"))
    with Store(sets / "a.h5") as a, Store(sets / "b.h5") as b, Store(sets / "both.h5") as both:
        assert both.fingerprint == summary.fingerprint
        earlier = {key: store.splits[row] for store in (a, b) for row, key in enumerate(store.keys)}
        assert dict(zip(both.keys.tolist(), both.splits.tolist(), strict=True)) == earlier
        assert set(both.methods) == {"real", "one:fake", "two:fake"}
        assert both.real_only.sum() == both.origins.stills.sum() == FACES
        assert summary.people == len(set(both.groups))
        assert not audit(both).leaks


def test_stores_that_do_not_fit_are_refused(sets: Path) -> None:
    _prepare(sets / "a.h5", sets / "one")
    prepare_sources(Sources((Source(sets / "two"),)), sets / "b.h5", Preparation(frames=5, size=32))
    with pytest.raises(UserError, match="have other settings"):
        merge_stores([sets / "a.h5", sets / "b.h5"], sets / "both.h5")
    shutil.copy(sets / "a.h5", sets / "again.h5")
    with pytest.raises(UserError, match="both have one/fake/unknown/anna_swap"):
        merge_stores([sets / "a.h5", sets / "again.h5"], sets / "both.h5")
    with pytest.raises(UserError, match="at least two stores"):
        merge_stores([sets / "a.h5"], sets / "both.h5")
    with pytest.raises(UserError, match="is one of the stores to merge"):
        merge_stores([sets / "a.h5", sets / "b.h5"], sets / "a.h5")
    assert not (sets / "both.h5").exists()


def test_a_person_in_two_splits_of_two_stores_is_refused(sets: Path) -> None:
    shutil.copy(sets / "one/real/anna.mp4", sets / "two/real/anna.mp4")
    _prepare(sets / "a.h5", _named(sets, "one"), split=SplitRequest(policy="test"))
    _prepare(sets / "b.h5", _named(sets, "two", people={"anna": "train"}))
    with pytest.raises(
        UserError, match="anna_swap is in test and two/fake/unknown/anna_swap in tr"
    ):
        merge_stores([sets / "a.h5", sets / "b.h5"], sets / "both.h5")


@pytest.mark.slow
def test_the_command_line_takes_lists_adds_and_merges(sets: Path) -> None:
    def dfsearch(*arguments: object) -> str:
        command = [sys.executable, "-m", "search.cli", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    small = ("--frames", 4, "--size", 32)
    (sets / "sources.toml").write_text(
        '[[source]]\npath = "two"\n[[source]]\npath = "faces"\nrole = "real-only"\n'
    )
    dfsearch("prepare", sets / "one", sets / "a.h5", *small)
    dfsearch("prepare", sets / "sources.toml", sets / "b.h5", *small)
    dfsearch("prepare", "--add", sets / "three", sets / "b.h5")
    merged = dfsearch("merge", sets / "a.h5", sets / "b.h5", sets / "all.h5")
    assert f"{24 + FACES} clips" in merged
    dfsearch("verify", sets / "all.h5")
