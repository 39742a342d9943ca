"""Speed of reading a store: ``python -m bench.storage [--real FOLDER] [--json]``.

Random batches of 8 clips, the access pattern of training, are compared with the limit: copying the
same clips in memory. Other rows are the store in order, a numpy memory map, other HDF5 layouts
(compressed, one frame a chunk, eight clips a chunk) and HDF5's own indexing. All readers return
identical bytes and take turns.

The clips are those of a prepared data set, shifted by some pixels to get enough of them: SYNTHETIC
people, or real ones of ``--real`` or ``DFSEARCH_REAL_DATA``. Content only affects compression.
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
from data_prep.preparation.job import Execution
from data_prep.preparation.prepare import prepare
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
"""Other layouts of the same clips; without ``per``, a chunk is one clip."""


@dataclasses.dataclass(frozen=True)
class ReaderSpeed:
    """One reader.

    Attributes:
        what: Name.
        speed: Speed relative to copying the same clips in memory.
        bytes: Bytes on disk relative to the clip's bytes; ``None`` if nothing is on disk.
    """

    what: str
    speed: float
    bytes: float | None = None


def load_clips(source: Path, folder: Path, count: int) -> Clips:
    """Return clips of a data set, uint8 (count, T, S, S, 4), shifted copies included."""
    path = folder / "people.h5"
    prepare(
        source,
        path,
        overwrite=True,
        execution=Execution(jobs=joblib.cpu_count()),
        split=SplitRequest(policy="test"),
    )
    with Store(path) as store:
        prepared = store.read(np.arange(min(count, len(store))))
    clips = np.empty((count, *prepared.shape[1:]), np.uint8)
    for number in range(count):
        clips[number] = np.roll(prepared[number % len(prepared)], number // len(prepared), axis=2)
    return clips


def make_clips(clips: Clips) -> Iterator[Clip]:
    """Yield the clips of a store; identities do not matter here."""
    for number, one in enumerate(clips):
        yield make_clip(number, one)


def write_layout(path: Path, clips: Clips, per: str = "clip", **filters: Any) -> float:
    """Write the clips to a file; return bytes on disk relative to the clips' bytes."""
    shape = clips.shape[1:]
    chunks = {"clip": (1, *shape), "frame": (1, 1, *shape[1:]), "eight": (8, *shape)}[per]
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("frames", data=clips, chunks=chunks, **filters)
        return float(dataset.id.get_storage_size() / clips.nbytes)


def make_copy_reader(source: Any) -> Read:
    """Return a reader that copies each row into a new batch."""

    def read(rows: npt.NDArray[np.int64]) -> Clips:
        batch = np.empty((len(rows), *source.shape[1:]), source.dtype)
        for position, row in enumerate(rows):
            batch[position] = source[row]
        return batch

    return read


def make_direct_reader(dataset: h5py.Dataset) -> Read:
    """Return a reader that reads row by row, the fastest method of HDF5."""

    def read(rows: npt.NDArray[np.int64]) -> Clips:
        batch = np.empty((len(rows), *dataset.shape[1:]), dataset.dtype)
        for position, row in enumerate(rows):
            dataset.read_direct(batch, np.s_[row], np.s_[position])
        return batch

    return read


def make_list_reader(dataset: h5py.Dataset) -> Read:
    """Return a reader that indexes HDF5 by a sorted list of rows."""

    def read(rows: npt.NDArray[np.int64]) -> Clips:
        order = np.argsort(rows)
        batch = np.empty((len(rows), *dataset.shape[1:]), dataset.dtype)
        batch[order] = dataset[rows[order]]
        return batch

    return read


def measure(
    source: Path, folder: Path, count: int, rounds: int, passes: int
) -> Iterator[ReaderSpeed]:
    """Yield a row for every reader.

    Args:
        source: Data set.
        folder: Folder for files.
        count: Number of clips.
        rounds: Rounds of all readers in turn.
        passes: Passes over all clips by the fast readers; the others take one.
    """
    clips = load_clips(source, folder, count)
    path = folder / "store.h5"
    write_store(path, make_clips(clips), [], {})
    sizes: dict[str, float | None] = {STORE: _stored_size(path) / clips.nbytes}
    np.save(folder / "clips.npy", clips)
    mapped = np.load(folder / "clips.npy", mmap_mode="r")
    shuffled = np.random.default_rng(0).permutation(count)
    in_order = np.arange(count)
    with Store(path) as store, h5py.File(path) as file:
        ways: dict[str, tuple[Read, npt.NDArray[np.int64], int]] = {
            MEMORY: (make_copy_reader(clips), shuffled, passes),
            STORE: (store.read, shuffled, passes),
            "the store, in order": (store.read, in_order, passes),
            "a numpy memory map, kept mapped": (make_copy_reader(mapped), shuffled, passes),
            "the store, HDF5 row by row": (make_direct_reader(file["frames"]), shuffled, passes),
            "the store, HDF5 by a list of rows": (make_list_reader(file["frames"]), shuffled, 1),
        }
        others = []
        for name, layout in LAYOUTS.items():
            other = folder / f"{len(others)}.h5"
            sizes[name] = write_layout(other, clips, **layout)
            others.append(h5py.File(other))
            ways[name] = (make_direct_reader(others[-1]["frames"]), shuffled, 1)
        for name, (read, _, _) in ways.items():
            rows = shuffled[:BATCH]
            if not np.array_equal(read(rows), clips[rows]):
                raise RuntimeError(f"{name} returned other clips than were written")
        runs = {name: _repeat_passes(*way) for name, way in ways.items()}
        time_in_turns(runs, 1)
        times = time_in_turns(runs, rounds)
        for name, (_, _, own) in ways.items():
            pairs = zip(times[name], times[MEMORY], strict=True)
            faster = statistics.median(limit.wall / one.wall for one, limit in pairs)
            yield ReaderSpeed(name, faster * own / passes, sizes.get(name))
        for other in others:
            other.close()


def _repeat_passes(read: Read, order: npt.NDArray[np.int64], passes: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(passes):
            for start in range(0, len(order), BATCH):
                # As in training, a batch stays alive until the next one is read.
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
    parser.add_argument(
        "--passes", type=int, default=10, help="passes over all clips by the fast readers"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = next(iter(list_real_sets(chosen.real)), None) or make_short_set(folder)
        rows = list(measure(source.root, folder, chosen.clips, chosen.rounds, chosen.passes))
    size = Preparation()
    manner = (
        f"{chosen.clips} clips of {size.frames} frames of {size.size} px ({source.name}) in "
        f"batches of {BATCH}, from pages in memory. Medians of {chosen.rounds} rounds"
    )
    if chosen.json:
        output = {
            "machine": describe_machine(),
            "manner": manner,
            "rows": [vars(row) for row in rows],
        }
        print(json.dumps(output, indent=1))
        return
    print(f"{describe_machine()}\n{manner}\n\n{'':<40}{'speed':>10}{'bytes':>10}")
    for row in rows:
        size_text = "" if row.bytes is None else f"{row.bytes:.2f}"
        print(f"{row.what:<40}{row.speed:>10.3f}{size_text:>10}")


if __name__ == "__main__":
    main()
