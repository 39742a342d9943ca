"""A store of any clips, texts and shards reads back as it was written and is replaced whole."""

from __future__ import annotations

import dataclasses
import errno
import json
import pickle
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import UserError
from data_prep.store.store import Clip, Quarantined, Store, write_store
from data_prep.store.writer import is_store, is_unfinished, remove_unfinished
from data_prep.text import printable

MakeClip = Callable[..., Clip]

# File names are bytes: those that are no text become surrogates.
names = st.one_of(
    st.text(max_size=20),
    st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
)


def _written(text: str) -> str:
    return printable(text).replace("\0", "\\x00")


@pytest.fixture(scope="module")
def clips(make_clip: MakeClip) -> list[Clip]:
    return [
        make_clip(f"person {number}", ("real", "fake")[number % 2], count=2) for number in range(7)
    ]


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.tuples(names, names, names), min_size=1, max_size=7),
    shard_clips=st.none() | st.integers(1, 8),
    left_out=st.lists(names, max_size=3),
)
def test_any_texts_and_shards_read_back_as_they_were_written(
    texts: list[tuple[str, str, str]],
    shard_clips: int | None,
    left_out: list[str],
    clips: list[Clip],
) -> None:
    given_clips = [
        dataclasses.replace(clip, key=key, path=path, group=group)
        for clip, (key, path, group) in zip(clips, texts, strict=False)
    ]
    quarantine = [Quarantined(path, "decode", path) for path in left_out]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        fingerprint = write_store(path, given_clips, quarantine, {}, shard_clips=shard_clips)
        whole = write_store(path.with_name("whole"), given_clips, quarantine, {})
        with Store(path) as store:
            assert store.fingerprint == fingerprint == whole
            assert len(store) == len(given_clips)
            assert store.keys.tolist() == [_written(clip.key) for clip in given_clips]
            assert store.paths.tolist() == [_written(clip.path) for clip in given_clips]
            assert store.groups.tolist() == [_written(clip.group) for clip in given_clips]
            assert [entry.path for entry in store.quarantine] == list(map(_written, left_out))
            frames = store.read(range(len(store)))  # type: ignore[arg-type]
            np.testing.assert_array_equal(frames, [clip.frames for clip in given_clips])
        assert {child.name for child in Path(folder).iterdir()} == {"store", "whole"}


@pytest.mark.parametrize("shard_clips", [1, 2, 3, 7, 100])
def test_shards_are_read_as_one_store_across_their_borders(
    shard_clips: int, clips: list[Clip], tmp_path: Path
) -> None:
    from search.samples.batches import ClipBatches
    from search.samples.samples import clips_of

    write_store(tmp_path / "shards", clips, [], {}, shard_clips=shard_clips)
    write_store(tmp_path / "one.h5", clips, [], {})
    assert len(list((tmp_path / "shards").glob("*.h5"))) == -(-len(clips) // shard_clips)
    rows = np.array([6, 0, 3, 3, 5, 1, 2])
    with Store(tmp_path / "shards") as shards, Store(tmp_path / "one.h5") as one:
        assert shards.fingerprint == one.fingerprint
        np.testing.assert_array_equal(shards.read(rows), one.read(rows))
        np.testing.assert_array_equal(shards.clip_field("boxes"), one.clip_field("boxes"))
        np.testing.assert_equal(shards.media, one.media)
        np.testing.assert_equal(shards.shortcuts, one.shortcuts)
        ours, theirs = (ClipBatches(clips_of(store, rows), batch_size=3) for store in (shards, one))
        for at in range(len(theirs)):
            for mine, other in zip(ours[at], theirs[at], strict=True):
                np.testing.assert_array_equal(mine, other)


def test_a_missing_a_damaged_and_a_foreign_shard_are_one_line(
    clips: list[Clip], make_clip: MakeClip, tmp_path: Path
) -> None:
    write_store(tmp_path / "shards", clips, [], {}, shard_clips=3)
    second = sorted((tmp_path / "shards").glob("*.h5"))[1]
    content = second.read_bytes()
    second.unlink()
    with pytest.raises(UserError, match=f"{second.name}, a shard of a store, is missing"):
        Store(tmp_path / "shards")
    second.write_bytes(content[:2000])
    with pytest.raises(UserError, match=f"{second.name} is damaged; prepare it again"):
        Store(tmp_path / "shards")
    # Another number of clips, and the same number of others.
    for count in (1, 3):
        others = [make_clip(f"stranger {number}", count=2) for number in range(count)]
        write_store(second, others, [], {})
        with pytest.raises(UserError, match=f"{second.name} does not belong to its index.json"):
            Store(tmp_path / "shards")
    second.write_bytes(content)
    with Store(tmp_path / "shards") as store:
        assert len(store) == len(clips)


@pytest.mark.parametrize(
    "index",
    [
        "",
        "{}",
        "[]",
        '{"schema_version": 2, "fingerprint": "0", "shards": []}',
        '{"schema_version": 2, "fingerprint": "0", "shards": [{"file": "../store.h5"}]}',
    ],
)
def test_a_damaged_index_is_said_and_its_shards_are_kept(
    index: str, clips: list[Clip], tmp_path: Path
) -> None:
    write_store(tmp_path / "shards", clips, [], {}, shard_clips=3)
    (tmp_path / "shards" / "index.json").write_text(index)
    with pytest.raises(UserError, match=r"index\.json is damaged; prepare the store again"):
        Store(tmp_path / "shards")
    remove_unfinished(tmp_path / "shards")
    assert len(list((tmp_path / "shards").glob("*.h5"))) == 3
    # Written anew, it is a store and nothing else.
    write_store(tmp_path / "shards", clips, [], {}, shard_clips=4)
    assert len(list((tmp_path / "shards").glob("*.h5"))) == 2


def test_a_store_is_seen_whole_while_it_is_replaced_by_another(
    clips: list[Clip], tmp_path: Path
) -> None:
    path = tmp_path / "shards"
    old = write_store(path, clips, [], {}, shard_clips=2)
    seen = []

    def looking() -> Iterator[Clip]:
        for clip in clips[::-1]:
            with Store(path) as store:
                seen.append(store.fingerprint)
                store.read(range(len(store)))  # type: ignore[arg-type]
            yield clip

    with Store(path) as held:
        new = write_store(path, looking(), [], {}, shard_clips=2)
        # Who has it open keeps it.
        np.testing.assert_array_equal(held.read([6])[0], clips[6].frames)
    assert seen == [old] * len(clips)
    with Store(path) as store:
        assert store.fingerprint == new != old
    assert len(list(path.iterdir())) == 5


@pytest.mark.parametrize("shard_clips", [None, 2])
def test_what_a_killed_writer_left_is_removed_and_the_store_kept(
    shard_clips: int | None, clips: list[Clip], tmp_path: Path
) -> None:
    path = tmp_path / "store"
    before = write_store(path, clips, [], {}, shard_clips=shard_clips)
    if shard_clips:
        (path / "shard-00000-0badc0de.h5").write_bytes(b"half a shard")
        (path / ".index.json.tmp").touch()
        (path / "notes.txt").touch()
    else:
        (tmp_path / ".store.tmp").write_bytes(b"half a store")
    remove_unfinished(path)
    with Store(path) as store:
        assert store.fingerprint == before
    if shard_clips:
        named = {shard["file"] for shard in json.loads((path / "index.json").read_text())["shards"]}
        assert {child.name for child in path.iterdir()} == {*named, "index.json", "notes.txt"}
    assert [child.name for child in tmp_path.iterdir()] == ["store"]


def test_shards_without_index_are_removed_only_where_a_writer_was_killed(tmp_path: Path) -> None:
    shard = tmp_path / "shard-00000-0badc0de.h5"
    shard.write_bytes(b"half a shard, or one whose index is lost")
    remove_unfinished(tmp_path)
    assert shard.exists()
    assert not is_unfinished(tmp_path)
    (tmp_path / ".index.json.tmp").touch()
    assert is_unfinished(tmp_path)
    assert not is_store(tmp_path)
    remove_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_fails_leaves_no_shard(clips: list[Clip], tmp_path: Path) -> None:
    def failing() -> Iterator[Clip]:
        yield from clips[:5]
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_store(tmp_path / "shards", failing(), [], {}, shard_clips=2)
    assert list((tmp_path / "shards").iterdir()) == []


# Less than the clips, which wait in memory until the file is closed.
FULL_AT_THE_END = """
import pickle, resource, sys
from pathlib import Path
from data_prep.store.store import write_store

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
clips, shard_clips = pickle.load(sys.stdin.buffer)
try:
    write_store(Path(sys.argv[1]), clips, [], {}, shard_clips=shard_clips)
except OSError as error:
    print(error.errno, flush=True)
"""


@pytest.mark.parametrize("shard_clips", [None, 7])
def test_a_disk_that_is_full_at_the_end_is_told_as_one(
    shard_clips: int | None, clips: list[Clip], tmp_path: Path
) -> None:
    """In a process of its own, since HDF5 keeps the file that it cannot close."""
    command = [sys.executable, "-c", FULL_AT_THE_END, str(tmp_path / "store")]
    handed = pickle.dumps((clips, shard_clips))
    done = subprocess.run(command, input=handed, capture_output=True, check=False)
    assert done.stdout.split() == [str(errno.EFBIG).encode()], done.stderr.decode()
    assert not is_store(tmp_path / "store")


@pytest.mark.parametrize("shard_clips", [None, 10])
def test_clips_are_let_go_once_they_are_written(
    shard_clips: int | None, clips: list[Clip], tmp_path: Path
) -> None:
    alive: list[weakref.ref[np.ndarray]] = []

    def fresh() -> Iterator[Clip]:
        for number in range(30):
            frames = clips[0].frames.copy()
            alive.append(weakref.ref(frames))
            yield dataclasses.replace(clips[0], key=f"clip {number}", frames=frames)
            del frames
            assert sum(one() is not None for one in alive) <= 2

    write_store(tmp_path / "store", fresh(), [], {}, shard_clips=shard_clips)
    assert len(alive) == 30
