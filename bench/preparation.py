"""How near preparation is to its limits: ``python -m bench.preparation [--real FOLDER] [--json]``.

Every ratio is of runs that took turns on the same files in the same worker processes, the median
over the rounds, by the clock on the wall and by processor time of all processes. On a machine that
does other work the second is the one to look at; it cannot tell how well work is spread.

Workers are started and warmed before anything is timed, and what starting costs is a row of its
own: the time of a fresh process that prepares a tiny set twice, less two times the second.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import h5py
import joblib
import numpy as np

from artifacts import quiet
from bench.shared.timing import (
    Ratio,
    Time,
    compare_speed,
    count_busy_cores,
    describe_machine,
    sum_times,
    time_in_turns,
    time_run,
)
from bench.shared.videos import (
    VideoSet,
    list_real_sets,
    make_clip,
    make_full_hd_video,
    make_long_set,
    make_short_set,
)
from data_prep.preparation import part_files, parts
from data_prep.preparation.clip import Preparation
from data_prep.preparation.prepare import Execution, prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.format import Clip
from data_prep.store.store import Store, write_store
from data_prep.video.video import read_frames, sample_indices
from data_prep.workers import follow_parent

FRAMES = Preparation().frames
SEEK_VIDEOS = 4
STORE_CLIPS, BATCH, PASSES = 256, 8, 5

TWICE = """
import sys, time
from pathlib import Path
from data_prep.preparation.prepare import prepare
for _ in range(2):
    began = time.perf_counter()
    prepare(Path(sys.argv[1]), Path(sys.argv[2]), jobs=2, split_policy="test", overwrite=True)
print(time.perf_counter() - began)
"""


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table: a value, or a ratio by both clocks."""

    what: str
    value: float | None = None
    unit: str = ""
    wall: float | None = None
    cpu: float | None = None
    wanted: str = ""
    note: str = ""

    def __str__(self) -> str:
        if self.value is None:
            shown = f"wall {self.wall:6.2f}   CPU {self.cpu:6.2f}"
        else:
            shown = f"{self.value:,.3g} {self.unit}"
        return f"{self.what:<66}{shown:<28}{self.wanted:<14}{self.note}".rstrip()


def ratio(what: str, measured: Ratio, wanted: str = "", note: str = "") -> Row:
    """A row of a ratio."""
    return Row(what, wall=measured.wall, cpu=measured.cpu, wanted=wanted, note=note)


# 1. Preparation against decoding alone.


def throughput(
    material: VideoSet, scratch: Path, rounds: int, wanted: str, taken: list[dict[str, list[Time]]]
) -> Iterator[Row]:
    """With the original's track for fakes and without, in as many processes as there are cores.

    The times taken are added to ``taken``.
    """
    jobs = joblib.cpu_count()

    def prepared(paired: bool) -> None:
        prepare(
            material.root,
            scratch / "store.h5",
            paired_crops=paired,
            overwrite=True,
            execution=Execution(jobs=jobs),
            split=SplitRequest(policy="test"),
        )

    def decoded() -> None:
        run_in_workers(decode, [video.path for video in material.videos], jobs)

    decoded()
    times = time_in_turns(
        {
            "decode": decoded,
            "paired": lambda: prepared(True),
            "unpaired": lambda: prepared(False),
        },
        rounds,
    )
    taken.append(times)
    name = f"{material.name} ({len(material.videos)} videos)"
    own, detected = (compare_speed(times[run], times["decode"]) for run in ("paired", "unpaired"))
    yield ratio(f"prepare / decode, {name}", own, wanted)
    yield ratio("  without paired crops", detected, wanted)
    for run in ("paired", "decode"):
        seconds = statistics.median(one.cpu for one in times[run]) / len(material.videos)
        what = "prepare" if run == "paired" else "of which decode"
        yield Row(f"  {what}, 1,000 videos on one core", seconds * 1000 / 3600, "hours of CPU")


def together(taken: Sequence[dict[str, list[Time]]]) -> Row:
    """Sets that were measured one by one, as though they were one."""
    whole = {
        run: [sum_times(same) for same in zip(*(times[run] for times in taken), strict=True)]
        for run in ("paired", "decode")
    }
    what = "prepare / decode, all real videos together"
    return ratio(what, compare_speed(whole["paired"], whole["decode"]), ">= 0.70")


def decode(path: Path) -> int:
    """What preparation reads, and nothing else."""
    return len(read_frames(path, FRAMES, threads=1).frames)


def run_in_workers(call: Callable[[Path], object], paths: Sequence[Path], jobs: int) -> None:
    """Call on every path in the workers that preparation uses, so started the same way."""
    with joblib.parallel_config(
        backend="loky",
        inner_max_num_threads=1,
        initializer=follow_parent,
        initargs=(os.getpid(),),
    ):
        joblib.Parallel(
            n_jobs=max(2, jobs), pre_dispatch=1 if jobs == 1 else 2 * jobs, batch_size=1
        )(joblib.delayed(call)(path) for path in paths)


def start_up(material: VideoSet, scratch: Path, rounds: int) -> Row:
    """Interpreter, imports, worker processes and their detectors, once a run."""
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        warm = child(TWICE, str(material.root), str(scratch / "twice.h5"))
        seconds.append(time.perf_counter() - began - 2 * float(warm))
    return Row("start-up, once a run", statistics.median(seconds), "s of wall")


def child(code: str, *arguments: str) -> str:
    """What a Python program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


# 2. One walk against seeking.


def seeking(material: VideoSet, rounds: int) -> Row:
    """Sixteen frames in one walk, against one seek each; one decoder thread, one process."""
    paths = [video.path for video in material.videos[:SEEK_VIDEOS]]
    equal = []

    def walk() -> None:
        for path in paths:
            read_frames(path, FRAMES, threads=1)

    def seek() -> None:
        for path in paths:
            seek_frames(path)

    for path in paths:
        walked = read_frames(path, FRAMES, threads=1).frames
        sought = seek_frames(path)
        equal += [
            bool(np.array_equal(one, other)) for one, other in zip(walked, sought, strict=False)
        ]
    times = time_in_turns({"walk": walk, "seek": seek}, rounds)
    note = f"seeking finds {np.mean(equal):.0%} of the frames asked for"
    return ratio(
        f"walk / seek, {material.name}", compare_speed(times["walk"], times["seek"]), "", note
    )


def seek_frames(path: Path) -> list[np.ndarray]:
    """The sampled frames as most toolkits take them, RGB."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    frames = []
    for position in sample_indices(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), FRAMES).tolist():
        video.set(cv2.CAP_PROP_POS_FRAMES, position)
        found, frame = video.read()
        if found:
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    video.release()
    return frames


# 3. Two processes against one.


def scaling(material: VideoSet, scratch: Path, rounds: int) -> Row:
    """The same videos in two processes and in one, each with one decoder thread."""

    def run(jobs: int) -> None:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            tasks, _ = parts.plan(material.videos, Path(folder), Preparation(), decoder_threads=1)
            failures = [one for one in parts.run(list(tasks.values()), jobs) if one]
            assert not failures, failures

    times = time_in_turns({"two": lambda: run(2), "one": lambda: run(1)}, rounds)
    gain = compare_speed(times["two"], times["one"])
    shares = {name: count_busy_cores(times[name]) for name in ("two", "one")}
    # Where others work too, what processor time says is what two free cores would give.
    note = f"two free cores: {2 * gain.cpu:.2f}; " + "; ".join(
        f"{name} had {own:.2f} cores, others {others:.2f}" for name, (own, others) in shares.items()
    )
    what = f"two processes / one, {material.name} ({len(material.videos)} videos)"
    return ratio(what, gain, ">= 1.80 wall", note)


# 4. Memory.


def memory(folder: Path, scratch: Path, seconds: int, threads: int) -> Row:
    """Peak of a fresh worker that prepares one 1080p video."""
    path = make_full_hd_video(folder, seconds)
    printed = child(PEAK, str(path), str(scratch), str(threads))
    what = f"peak memory, 1080p, {seconds} s, decoder threads: {threads}"
    return Row(what, float(printed), "MB", wanted="< 700")


PEAK = """
import re, sys, tempfile
from pathlib import Path
import psutil
from data_prep import parts
from data_prep.preparation.clip import Preparation
from data_prep.datasets import Video
from data_prep.datasets import Video
video = Video("1080p", Path(sys.argv[1]), 0, "real", "unknown", ())
with tempfile.TemporaryDirectory(dir=sys.argv[2]) as folder:
    tasks, _ = parts.plan(
        [video], Path(folder), Preparation(), decoder_threads=int(sys.argv[3])
    )
    assert list(parts.run(list(tasks.values()), 1)) == [None]
    peaks = [
        int(re.search(r"VmHWM:\\s+(\\d+) kB", Path(f"/proc/{one.pid}/status").read_text())[1])
        for one in psutil.Process().children(recursive=True)
    ]
print(max(peaks) * 1024 / 1e6)
"""


# 5. Batches, and 6. the store.


def make_noise_clips(count: int) -> Iterator[Clip]:
    """Clips of the usual size, all different, of noise: what is in them costs nothing."""
    size = Preparation().size
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, size, size, 4), np.uint8)
    for number in range(count):
        yield make_clip(number, np.roll(noise, number))


def batches(scratch: Path, rounds: int) -> Iterator[Row]:
    """Random batches from the store, against a numpy memory map of the same bytes."""
    # TensorFlow, which nothing else here needs.
    quiet.import_tensorflow()
    from search.samples.batches import ClipBatches, Sampling
    from search.samples.samples import clips_of

    path, raw = scratch / "noise.h5", scratch / "noise.npy"
    write_store(path, make_noise_clips(STORE_CLIPS), [], {})
    with h5py.File(path) as file:
        np.save(raw, file["frames"][...])
    mapped = np.load(raw, mmap_mode="r")
    with Store(path) as store:
        stream = ClipBatches(
            clips_of(store, np.arange(STORE_CLIPS)), batch_size=BATCH, sampling=Sampling(0)
        )
        order = [stream._order[start : start + BATCH] for start in range(0, STORE_CLIPS, BATCH)]

        def all_of(make: Callable[[int], object]) -> None:
            # One pass takes a tenth of a second. A batch lives until the next is there, as in
            # training.
            for number in range(PASSES * len(order)):
                batch = make(number % len(order))
            del batch

        for number, rows in enumerate(order):
            assert np.array_equal(stream[number][0], mapped[rows])
        times = time_in_turns(
            {
                "stream": lambda: all_of(lambda number: stream[number]),
                "read": lambda: all_of(lambda number: store.read(order[number])),
                "map": lambda: all_of(lambda number: np.stack([mapped[r] for r in order[number]])),
            },
            3 * rounds,
        )
    yield ratio(
        "batches of 8 / numpy memory map", compare_speed(times["stream"], times["map"]), ">= 0.80"
    )
    yield ratio("  Store.read alone", compare_speed(times["read"], times["map"]))


def writing(material: VideoSet, scratch: Path) -> Iterator[Row]:
    """From part files to the store, synced to the disk."""
    jobs = joblib.cpu_count()
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        tasks, _ = parts.plan(material.videos, Path(name), Preparation())
        done = list(tasks.values())
        assert not any(parts.run(done, jobs))
        part = done[0].part
        clips = (
            dataclasses.replace(
                clip,
                key=f"{number:06d}",
                frames=made.frames,
                media=dataclasses.asdict(made.media),
                shortcuts=made.shortcuts,
            )
            for number, clip in enumerate(make_noise_clips(STORE_CLIPS))
            for made in part_files.read_part(part)
        )
        path = scratch / "written.h5"
        took = time_run(lambda: write_store(path, clips, [], {}))
        yield Row("parts to store, a second of CPU", STORE_CLIPS / took.cpu, "clips")
        yield Row("parts to store, a second of wall", STORE_CLIPS / took.wall, "clips")
        yield Row("store, a clip", path.stat().st_size / STORE_CLIPS, "bytes")
        yield Row("part file, a clip, until the store is written", part.stat().st_size, "bytes")


def measured(
    real: Path | None, folder: Path, rounds: int, only: str, *, quick: bool
) -> Iterator[Row]:
    """Every row, as it is measured."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scratch = Path(name)
        short, real_ones = make_short_set(folder), list_real_sets(real)
        long = short if quick else make_long_set(folder)
        if "0" in only:
            yield start_up(short, scratch, rounds)
        if "1" in only:
            taken: list[dict[str, list[Time]]] = []
            for material in real_ones:
                yield from throughput(material, scratch, rounds, ">= 0.70", taken)
            if taken:
                yield together(taken)
            yield from throughput(long, scratch, rounds, ">= 0.70", [])
            if not quick:
                # Too short for decoding to be what takes the time.
                yield from throughput(short, scratch, rounds, "", [])
        if "2" in only:
            for material in [*real_ones, long]:
                yield seeking(material, rounds)
        if "3" in only:
            largest = max([*real_ones, long], key=lambda material: len(material.videos))
            yield scaling(largest, scratch, rounds)
        if "4" in only:
            for threads in (1, joblib.cpu_count()):
                for seconds in (10, 60):
                    yield memory(folder, scratch, seconds, threads)
        if "5" in only:
            yield from batches(scratch, rounds)
        if "6" in only:
            yield from writing(short, scratch)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.preparation", description=(__doc__ or "").partition("\n")[0]
    )
    where = os.environ.get("DFSEARCH_REAL_DATA")
    parser.add_argument(
        "--real",
        type=Path,
        default=where and Path(where),
        metavar="FOLDER",
        help="holds ffpp, ffpp_methods or celebdf; default: DFSEARCH_REAL_DATA",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="where synthetic videos are kept for the next time",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only",
        default="0123456",
        metavar="NUMBERS",
        help="0 start-up, 1 against decoding, 2 against seeking, 3 two processes, "
        "4 memory, 5 batches, 6 writing",
    )
    parser.add_argument("--quick", action="store_true", help="no long videos: that it runs")
    parser.add_argument("--json", action="store_true", help="rows as JSON, for programs")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = measured(chosen.real, folder, chosen.rounds, chosen.only, quick=chosen.quick)
        if chosen.json:
            print(
                json.dumps(
                    {"machine": describe_machine(), "rows": [vars(row) for row in rows]}, indent=1
                )
            )
            return
        print(describe_machine())
        print(f"medians of {chosen.rounds} rounds; a ratio of speeds, above 1 is faster\n")
        for row in rows:
            print(row, flush=True)


if __name__ == "__main__":
    main()
