"""Stores made by an attacker: one line, no other file opened and no memory taken."""

from __future__ import annotations

import os
import resource
import socket
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from data_prep.errors import UserError
from data_prep.store import objects
from data_prep.store.store import SPLITS, Clip, Store, write_store
from data_prep.store.verify import verify

CLIPS = 6
MB_IN_KB = 1024
Change = Callable[[h5py.File], None]


@pytest.fixture(scope="module")
def honest(make_clip: Callable[..., Clip], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("honest") / "store.h5"
    frames = np.zeros((2, 8, 8, 4), np.uint8)
    clips = [
        make_clip(
            f"person{number}",
            ("real", "swap")[number % 2],
            2,
            split=SPLITS[number % 3],
            frames=frames,
            shortcuts={"noise": 1.0},
        )
        for number in range(CLIPS)
    ]
    write_store(path, clips, [], {})
    return path.read_bytes()


@pytest.fixture
def store_path(honest: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole store in the current folder, beside a secret and a pipe without a writer."""
    monkeypatch.chdir(tmp_path)
    Path("secret.bin").write_bytes(b"secret" * 100)
    Path("other.h5").write_bytes(honest)
    os.mkfifo("pipe.h5")
    path = tmp_path / "store.h5"
    path.write_bytes(honest)
    return path


def _link(name: str, link: Any) -> Change:
    def change(file: h5py.File) -> None:
        file.pop(name, None)
        file[name] = link

    return change


def _dataset(name: str, *shape: Any, **settings: Any) -> Change:
    def change(file: h5py.File) -> None:
        file.pop(name, None)
        file.create_dataset(name, *shape, **settings)

    return change


def _same_object(name: str, other: str) -> Change:
    def change(file: h5py.File) -> None:
        file.pop(name, None)
        file[name] = file[other]

    return change


def _virtual(source: str, shape: tuple[Any, ...] = (CLIPS,)) -> Change:
    def change(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((CLIPS,), np.uint8, maxshape=(None,))
        layout[: shape[0]] = h5py.VirtualSource(source, "label", shape)
        del file["label"]
        file.create_virtual_dataset("label", layout)

    return change


def _virtual_pattern(file: h5py.File) -> None:
    """Sources by number, which HDF5 looks for when it is asked for the shape."""
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    space = h5py.h5s.create_simple((0,), (h5py.h5s.UNLIMITED,))
    space.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), stride=(1,), block=(1,))
    source = h5py.h5s.create_simple((1,))
    settings.set_virtual(space, b"pipe.h5", b"label%b", source)
    del file["label"]
    h5py.h5d.create(file.id, b"label", h5py.h5t.STD_U8LE, space, settings)


def _bomb(file: h5py.File) -> None:
    """Frames of 64 MB a clip in 64 kB each."""
    del file["frames"]
    shape = (1, 2**6, 2**9, 2**9, 4)
    frames = file.create_dataset(
        "frames", (CLIPS, *shape[1:]), np.uint8, chunks=shape, compression="gzip"
    )
    chunk = zlib.compress(bytes(2**26))
    for row in range(CLIPS):
        frames.id.write_direct_chunk((row, 0, 0, 0, 0), chunk)


def _large_chunk(file: h5py.File) -> None:
    """Six labels in a chunk of 128 MB."""
    del file["label"]
    label = file.create_dataset(
        "label", (CLIPS,), np.uint8, chunks=(2**27,), maxshape=(None,), compression="gzip"
    )
    label.id.write_direct_chunk((0,), zlib.compress(bytes(2**27)))


def _unknown_filter(file: h5py.File) -> None:
    del file["label"]
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((CLIPS,))
    settings.set_filter(305, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((CLIPS,))
    label = h5py.h5d.create(file.id, b"label", h5py.h5t.STD_U8LE, space, settings)
    h5py.Dataset(label)[...] = [0, 1] * 3


def _references(file: h5py.File) -> None:
    del file["clips/key"]
    keys = [file["label"].ref] * CLIPS
    file.create_dataset("clips/key", data=keys, dtype=h5py.ref_dtype)


def _lists(file: h5py.File) -> None:
    del file["label"]
    label = file.create_dataset("label", (CLIPS,), h5py.vlen_dtype(np.uint8))
    label[0] = [1, 2]


def _long_attribute(file: h5py.File) -> None:
    del file.attrs["preparation"]
    file.attrs["preparation"] = ["{}"] * 1000


def _datatype(file: h5py.File) -> None:
    file["type"] = np.dtype("u1")


TEXT = h5py.string_dtype()
HOSTILE: dict[str, tuple[Change, str]] = {
    "external link": (_link("clips/key", h5py.ExternalLink("other.h5", "/label")), "a link"),
    "external link to a pipe": (_link("label", h5py.ExternalLink("pipe.h5", "/label")), "a link"),
    "link nobody reads": (_link("notes", h5py.ExternalLink("secret.bin", "/")), "a link"),
    "soft link": (_link("clips/key", h5py.SoftLink("/clips/path")), "a link"),
    "second name": (_same_object("clips/key", "clips/path"), "another name"),
    "circle": (_same_object("clips/circle", "clips"), "another name"),
    "raw storage": (
        _dataset("label", (CLIPS,), np.uint8, external=[("secret.bin", 0, CLIPS)]),
        "in another file",
    ),
    "raw storage in a pipe": (
        _dataset("label", (CLIPS,), np.uint8, external=[("pipe.h5", 0, CLIPS)]),
        "in another file",
    ),
    "virtual": (_virtual("other.h5"), "in another file"),
    "virtual of a pipe": (_virtual("pipe.h5"), "in another file"),
    "virtual of a pattern": (_virtual_pattern, "in another file"),
    "labels of 16 GB": (_dataset("label", (2**34,), np.uint8, chunks=(2**20,)), "rows; a file may"),
    "empty labels": (_dataset("label", (2**24,), np.uint8), "the file has 0 of it"),
    "empty compressed labels": (
        _dataset("label", (2**24,), np.uint64, compression="gzip"),
        "claims 134217728 bytes in 0 bytes",
    ),
    "clips of 64 GB": (
        _dataset("frames", (CLIPS, 16, 2**15, 2**15, 4), np.uint8, chunks=(1, 1, 2**9, 2**9, 4)),
        "claims more than 4294967296 bytes a row",
    ),
    "compressed bomb": (_bomb, "claims 402653184 bytes in"),
    "bomb of one chunk": (_large_chunk, "claims 134217728 bytes in"),
    "unknown filter": (_unknown_filter, "filter 305"),
    "keys as references": (_references, "neither numbers nor texts"),
    "labels as lists": (_lists, "neither numbers nor texts"),
    "keys as records": (
        _dataset("clips/key", (CLIPS,), np.dtype([("a", "u1")])),
        "neither numbers nor texts",
    ),
    "no values": (_dataset("label", dtype=h5py.Empty("f").dtype, data=h5py.Empty("f")), "neither"),
    "keys in pieces": (
        _dataset("clips/key", data=["a"] * CLIPS, dtype=TEXT, chunks=(2,)),
        "texts in pieces",
    ),
    "long key": (
        _dataset("clips/key", data=["a" * 2**21] * CLIPS, dtype=TEXT),
        "longer than 1048576 bytes",
    ),
    "wide keys": (
        _dataset("clips/key", data=["a" * 60_000, *["b"] * 600], dtype=TEXT),
        "too much memory",
    ),
    "long list as attribute": (_long_attribute, "not one number or one text"),
    "named type": (_datatype, "neither a group nor a dataset"),
    "float frames": (_dataset("frames", data=np.zeros((CLIPS, 2, 8, 8, 4))), "float64"),
    "flat frames": (_dataset("frames", data=np.zeros((CLIPS, 2), np.uint8)), "expected uint8 (N"),
    "clips without a frame": (
        _dataset("frames", data=np.zeros((CLIPS, 0, 8, 8, 4), np.uint8)),
        "clips of 0 frames",
    ),
    "clips without a pixel": (
        _dataset("frames", data=np.zeros((CLIPS, 2, 0, 8, 4), np.uint8)),
        "of (0, 8) pixels",
    ),
    "float labels": (_dataset("label", data=np.zeros(CLIPS)), "float64"),
    "number as keys": (_dataset("clips/key", data=np.arange(CLIPS)), "int64"),
    "texts as coverage": (_dataset("clips/coverage", data=["a"] * CLIPS, dtype=TEXT), "object"),
    "number as attribute": (_dataset("clips/attributes/sex", data=np.arange(CLIPS)), "int64"),
    "number as spans": (_dataset("clips/spans", data=np.arange(CLIPS)), "int64"),
    "boxes of another shape": (_dataset("clips/boxes", data=np.ones((CLIPS, 2, 3))), "shape"),
    "more labels": (_dataset("label", data=np.zeros(9, np.uint8)), "shape (9,), expected (6)"),
}


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_store_is_refused_by_every_reader(name: str, store_path: Path) -> None:
    change, what = HOSTILE[name]
    with h5py.File(store_path, "a", libver="v110") as file:
        change(file)
    before = _memory()
    with pytest.raises(UserError) as error:
        Store(store_path)
    assert what in str(error.value)
    assert "\n" not in str(error.value)
    problems = verify(store_path)
    assert problems
    assert "secret" not in str(problems)
    assert _memory() - before < 50 * MB_IN_KB


def test_a_length_of_four_gigabytes_is_read_from_no_text(store_path: Path) -> None:
    with h5py.File(store_path) as file:
        start = file["clips/key"].id.get_offset()
    content = bytearray(store_path.read_bytes())
    content[start : start + 4] = b"\xff" * 4
    store_path.write_bytes(content)
    with pytest.raises(UserError, match="/clips/key has a text that is longer than"):
        Store(store_path)
    assert "longer than" in verify(store_path)[0].what


def test_a_sparse_file_does_not_make_a_large_claim_plausible(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MOST_ROWS", 1000)
    with h5py.File(store_path, "a") as file:
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        settings.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((2**20,))
        del file["label"]
        h5py.h5d.create(file.id, b"label", h5py.h5t.STD_U8LE, space, settings)
    with pytest.raises(UserError, match="claims 1048576 rows; a file may have 1000"):
        Store(store_path)


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
@pytest.mark.parametrize("place", ["store", "shard", "index"])
def test_what_is_no_file_is_never_opened(
    kind: str, place: str, make_clip: Callable[..., Clip], tmp_path: Path
) -> None:
    path = tmp_path / "store"
    if place != "store":
        write_store(path, [make_clip("anna")], [], {}, shard_clips=1)
    wrong = {"store": path, "index": path / "index.json"}.get(place) or next(path.glob("*.h5"))
    wrong.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(wrong)
    elif kind == "socket":
        # The path of a socket is limited to 108 bytes.
        here = os.open(wrong.parent, os.O_RDONLY)
        socket.socket(socket.AF_UNIX).bind(f"/proc/self/fd/{here}/{wrong.name}")
        os.close(here)
    elif kind == "device":
        wrong.symlink_to("/dev/zero")
    else:
        wrong.mkdir()
    names = {"pipe": "a named pipe", "folder": "a folder"}
    expected = f"is {names.get(kind, f'a {kind}')} and not a regular file"
    if (kind, place) == ("folder", "store"):
        expected = "no store at"
    for reader in (Store, verify):
        with pytest.raises(UserError, match=expected):
            reader(path)


def test_shards_of_several_shapes_are_refused(
    make_clip: Callable[..., Clip], tmp_path: Path
) -> None:
    for name, count in (("a", 2), ("b", 3)):
        write_store(tmp_path / name, [make_clip("anna", "real", count)], [], {}, shard_clips=1)
    shards = [next((tmp_path / name).glob("*.h5")) for name in "ab"]
    text = (tmp_path / "a" / "index.json").read_text()
    entry = '{"file": "%s", "clips": 1, "fingerprint": "%s"}'
    prints = []
    for shard in shards:
        with h5py.File(shard) as file:
            prints.append(file.attrs["fingerprint"])
    listed = ", ".join(entry % (path.name, p) for path, p in zip(shards, prints, strict=True))
    head = text[: text.index('"shards"')]
    shards[1].rename(tmp_path / "a" / shards[1].name)
    (tmp_path / "a" / "index.json").write_text(f'{head}"shards": [{listed}]}}')
    with pytest.raises(UserError, match="its shards have frames of several shapes"):
        Store(tmp_path / "a")


def test_a_large_index_is_not_read(make_clip: Callable[..., Clip], tmp_path: Path) -> None:
    write_store(tmp_path / "s", [make_clip("anna")], [], {}, shard_clips=1)
    with (tmp_path / "s" / "index.json").open("r+b") as file:
        file.truncate(2**33)
    before = _memory()
    with pytest.raises(UserError, match=r"index\.json is damaged"):
        Store(tmp_path / "s")
    assert _memory() - before < 50 * MB_IN_KB


@pytest.mark.parametrize("text", ["[1]", '{"split": 3}', '{"clip": [1]}', '{"a": NaN}', "[" * 9999])
def test_a_preparation_of_another_form_is_refused(text: str, store_path: Path) -> None:
    with h5py.File(store_path, "a") as file:
        file.attrs["preparation"] = text
    with pytest.raises(UserError, match="is not a store or is damaged"):
        Store(store_path)


def test_a_compressed_store_of_plain_size_is_still_read(store_path: Path) -> None:
    with h5py.File(store_path, "a") as file:
        frames = file["frames"][...]
        del file["frames"]
        file.create_dataset("frames", data=frames, chunks=(1, *frames.shape[1:]), compression=4)
    assert verify(store_path) == []
    with Store(store_path) as store:
        assert store.read([3]).tolist() == frames[[3]].tolist()


def test_values_that_cannot_be_read_are_one_line(store_path: Path) -> None:
    with h5py.File(store_path, "a") as file:
        frames = file["frames"][...]
        del file["frames"]
        settings = {"chunks": (1, *frames.shape[1:]), "compression": 4}
        made = file.create_dataset("frames", data=frames, **settings)
        made.id.write_direct_chunk((2, 0, 0, 0, 0), b"no gzip")
    with (
        Store(store_path) as store,
        pytest.raises(UserError, match="row 2 of /frames cannot be read; prepare it again"),
    ):
        store.read([2])
