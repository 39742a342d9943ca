"""What reading a store costs: ``python -m bench.storage [--real FOLDER] [--json]``.

Random batches of 8 clips, as training reads them, against the limit: copying the same clips from
memory to memory. Beside that the store in order, from its pages and from the disk, and the same
clips in other layouts of HDF5 - compressed, a chunk a frame, a chunk of eight clips - and by
HDF5's own indexing. Every way gives the same batches to the last byte, and all take turns.

The clips are those of a prepared data set, moved by some pixels until there are enough of them:
SYNTHETIC people, or real ones of ``--real`` or ``DFSEARCH_REAL_DATA``. Only how well they compress
depends on what is in them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import joblib
import numpy as np
import numpy.typing as npt

from bench.shared.timing import describe_machine, time_in_turns
from bench.shared.videos import list_real_sets, make_clip, make_short_set
from data_prep.preparation.clip import Preparation
from data_prep.preparation.prepare import Execution, prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.format import Clip
from data_prep.store.store import Store, write_store

BATCH = 8
MEMORY = "memory to memory"
STORE = "the store, random batches"

Clips = npt.NDArray[np.uint8]
Read = Callable[[npt.NDArray[np.int64]], Clips]

LAYOUTS: Mapping[str, Mapping[str, Any]] = {
    "a chunk a frame": {"per": "frame"},
    "a chunk of 8 clips": {"per": "eight"},
    "compressed with LZF": {"compression": "lzf"},
    "compressed with gzip 4": {"compression": "gzip", "compression_opts": 4},
}
"""Other ways to lay the same clips out; where nothing else is said, a chunk is a clip."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One way to read.

    Attributes:
        what: which.
        speed: in terms of copying the same clips from memory to memory.
        bytes: of a clip on the disk, in terms of its bytes; None where nothing is on it.
    """

    what: str
    speed: float
    bytes: float | None = None


def clips_of(source: Path, folder: Path, count: int) -> Clips:
    """So many clips of a data set, uint8 (count, T, S, S, 4): those there are, and moved ones."""
    path = folder / "people.h5"
    prepare(
        source,
        path,
        overwrite=True,
        execution=Execution(jobs=joblib.cpu_count()),
        split=SplitRequest(policy="test"),
    )
    with Store(path) as store:
        there = store.read(np.arange(min(count, len(store))))
    clips = np.empty((count, *there.shape[1:]), np.uint8)
    for number in range(count):
        clips[number] = np.roll(there[number % len(there)], number // len(there), axis=2)
    return clips


def make_clips(clips: Clips) -> Iterator[Clip]:
    """The clips as a store takes them; who is in them does not matter here."""
    for number, one in enumerate(clips):
        yield make_clip(number, one)


def write_layout(path: Path, clips: Clips, per: str = "clip", **filters: Any) -> float:
    """The clips in one dataset of a file; bytes a clip on the disk, in terms of its bytes."""
    shape = clips.shape[1:]
    chunks = {"clip": (1, *shape), "frame": (1, 1, *shape[1:]), "eight": (8, *shape)}[per]
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("frames", data=clips, chunks=chunks, **filters)
        return float(dataset.id.get_storage_size() / clips.nbytes)


def copy_rows(source: Any) -> Read:
    """Copy each row into its place of a new batch."""

    def read(rows: npt.NDArray[np.int64]) -> Clips:
        batch = np.empty((len(rows), *source.shape[1:]), source.dtype)
        for place, row in enumerate(rows):
            batch[place] = source[row]
        return batch

    return read


def read_direct(dataset: h5py.Dataset) -> Read:
    """Row by row, the fastest way that HDF5 itself has."""

    def read(rows: npt.NDArray[np.int64]) -> Clips:
        batch = np.empty((len(rows), *dataset.shape[1:]), dataset.dtype)
        for place, row in enumerate(rows):
            dataset.read_direct(batch, np.s_[row], np.s_[place])
        return batch

    return read


def read_by_list(dataset: h5py.Dataset) -> Read:
    """HDF5's own indexing by a list, which has to rise."""

    def read(rows: npt.NDArray[np.int64]) -> Clips:
        order = np.argsort(rows)
        batch = np.empty((len(rows), *dataset.shape[1:]), dataset.dtype)
        batch[order] = dataset[rows[order]]
        return batch

    return read


def measured(source: Path, folder: Path, count: int, rounds: int, passes: int) -> Iterator[Row]:
    """Every way to read, as a row.

    Args:
        source: a data set.
        folder: for files.
        count: clips.
        rounds: of all ways in turn.
        passes: over all clips, of the ways that are fast; the others take one.
    """
    clips = clips_of(source, folder, count)
    path = folder / "store.h5"
    write_store(path, make_clips(clips), [], {})
    sizes: dict[str, float | None] = {STORE: _stored_size(path) / clips.nbytes}
    np.save(folder / "clips.npy", clips)
    mapped = np.load(folder / "clips.npy", mmap_mode="r")
    mixed = np.random.default_rng(0).permutation(count)
    in_order = np.arange(count)
    with Store(path) as store, h5py.File(path) as file:
        ways: dict[str, tuple[Read, npt.NDArray[np.int64], int]] = {
            MEMORY: (copy_rows(clips), mixed, passes),
            STORE: (store.read, mixed, passes),
            "the store, in order": (store.read, in_order, passes),
            "a numpy memory map, kept mapped": (copy_rows(mapped), mixed, passes),
            "the store, HDF5 row by row": (read_direct(file["frames"]), mixed, passes),
            "the store, HDF5 by a list of rows": (read_by_list(file["frames"]), mixed, 1),
        }
        others = []
        for name, layout in LAYOUTS.items():
            other = folder / f"{len(others)}.h5"
            sizes[name] = write_layout(other, clips, **layout)
            others.append(h5py.File(other))
            ways[name] = (read_direct(others[-1]["frames"]), mixed, 1)
        for name, (read, _, _) in ways.items():
            rows = mixed[:BATCH]
            if not np.array_equal(read(rows), clips[rows]):
                raise RuntimeError(f"{name} gives other clips than were written")
        runs = {name: _passes(*way) for name, way in ways.items()}
        time_in_turns(runs, 1)
        times = time_in_turns(runs, rounds)
        for name, (_, _, own) in ways.items():
            pairs = zip(times[name], times[MEMORY], strict=True)
            faster = statistics.median(limit.wall / one.wall for one, limit in pairs)
            yield Row(name, faster * own / passes, sizes.get(name))
        for other in others:
            other.close()


def _passes(read: Read, order: npt.NDArray[np.int64], passes: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(passes):
            for start in range(0, len(order), BATCH):
                # A batch lives until the next is there, as in training.
                batch = read(order[start : start + BATCH])
        del batch

    return run


def _stored_size(path: Path) -> int:
    with h5py.File(path) as file:
        return int(file["frames"].id.get_storage_size())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.storage", description=(__doc__ or "").partition("\n")[0]
    )
    where = os.environ.get("DFSEARCH_REAL_DATA")
    parser.add_argument(
        "--real",
        type=Path,
        default=where and Path(where),
        metavar="FOLDER",
        help="holds ffpp, ffpp_methods or celebdf; default: DFSEARCH_REAL_DATA",
    )
    parser.add_argument("--clips", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=10, help="over all clips, of what is fast")
    parser.add_argument("--json", action="store_true", help="for programs")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = next(iter(list_real_sets(chosen.real)), None) or make_short_set(folder)
        rows = list(measured(source.root, folder, chosen.clips, chosen.rounds, chosen.passes))
    size = Preparation()
    manner = (
        f"{chosen.clips} clips of {size.frames} frames of {size.size} px ({source.name}) in "
        f"batches of {BATCH}, from pages in memory. Medians of {chosen.rounds} rounds"
    )
    if chosen.json:
        told = {
            "machine": describe_machine(),
            "manner": manner,
            "rows": [vars(row) for row in rows],
        }
        print(json.dumps(told, indent=1))
        return
    print(f"{describe_machine()}\n{manner}\n\n{'':<40}{'speed':>10}{'bytes':>10}")
    for row in rows:
        size_told = "" if row.bytes is None else f"{row.bytes:.2f}"
        print(f"{row.what:<40}{row.speed:>10.3f}{size_told:>10}")


if __name__ == "__main__":
    main()
