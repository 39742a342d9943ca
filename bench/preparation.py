"""Speed of preparation relative to its limits: ``python -m bench.preparation [--real FOLDER]``.

Every ratio compares runs that took turns on the same files in the same worker processes. It is the
median over the rounds, by wall time and by processor time of all processes. If other programs run,
use the ratio by processor time, which does not show how well work is spread.

Workers are started and warm before timing. The cost of starting them is a row of its own: the time
of a fresh process that prepares a tiny set twice, minus two times the second preparation.
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
from data_prep.preparation.job import Execution
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
from data_prep.store.format import Clip
from data_prep.store.store import Store, write_store
from data_prep.video.video import read_frames, sample_indices
from data_prep.workers import follow_parent

FRAMES = Preparation().frames
SEEK_VIDEOS = 4
STORE_CLIPS, BATCH, PASSES = 256, 8, 5

PREPARE_TWICE = """
import sys, time
from pathlib import Path
from data_prep.preparation.job import Execution
from data_prep.preparation.prepare import prepare
from data_prep.splits.splits import SplitRequest
execution, split = Execution(jobs=2), SplitRequest(policy="test")
for _ in range(2):
    began = time.perf_counter()
    source, store = Path(sys.argv[1]), Path(sys.argv[2])
    prepare(source, store, overwrite=True, execution=execution, split=split)
print(time.perf_counter() - began)
"""


@dataclasses.dataclass(frozen=True)
class PreparationRow:
    """A row of the table: a value, or a ratio by wall time and processor time."""

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


def make_ratio_row(what: str, ratio: Ratio, wanted: str = "", note: str = "") -> PreparationRow:
    """Return a row of a ratio."""
    return PreparationRow(what, wall=ratio.wall, cpu=ratio.cpu, wanted=wanted, note=note)


# 1. Preparation against decoding.


def measure_throughput(
    material: VideoSet,
    scratch: Path,
    rounds: int,
    wanted: str,
    measured_times: list[dict[str, list[Time]]],
) -> Iterator[PreparationRow]:
    """Yield rows with and without paired crops, with one process a core.

    The times are appended to ``measured_times``.
    """
    jobs = joblib.cpu_count()

    def run_prepare(paired: bool) -> None:
        prepare(
            material.root,
            scratch / "store.h5",
            paired_crops=paired,
            overwrite=True,
            execution=Execution(jobs=jobs),
            split=SplitRequest(policy="test"),
        )

    def run_decode() -> None:
        run_in_workers(decode, [video.path for video in material.videos], jobs)

    run_decode()
    times = time_in_turns(
        {
            "decode": run_decode,
            "paired": lambda: run_prepare(True),
            "unpaired": lambda: run_prepare(False),
        },
        rounds,
    )
    measured_times.append(times)
    name = f"{material.name} ({len(material.videos)} videos)"
    own, detected = (compare_speed(times[run], times["decode"]) for run in ("paired", "unpaired"))
    yield make_ratio_row(f"prepare / decode, {name}", own, wanted)
    yield make_ratio_row("  without paired crops", detected, wanted)
    for run in ("paired", "decode"):
        seconds = statistics.median(one.cpu for one in times[run]) / len(material.videos)
        what = "prepare" if run == "paired" else "decode only"
        yield PreparationRow(
            f"  {what}, 1,000 videos on one core", seconds * 1000 / 3600, "hours of CPU"
        )


def pool_sets(measured_times: Sequence[dict[str, list[Time]]]) -> PreparationRow:
    """Return a row of several measured sets as one."""
    pooled = {
        run: [
            sum_times(same) for same in zip(*(times[run] for times in measured_times), strict=True)
        ]
        for run in ("paired", "decode")
    }
    what = "prepare / decode, all real videos together"
    return make_ratio_row(what, compare_speed(pooled["paired"], pooled["decode"]), ">= 0.70")


def decode(path: Path) -> int:
    """Decode the frames that preparation reads, and nothing else."""
    return len(read_frames(path, FRAMES, threads=1).frames)


def run_in_workers(call: Callable[[Path], object], paths: Sequence[Path], jobs: int) -> None:
    """Call a function on every path in the workers of preparation."""
    with joblib.parallel_config(
        backend="loky",
        inner_max_num_threads=1,
        initializer=follow_parent,
        initargs=(os.getpid(),),
    ):
        joblib.Parallel(
            n_jobs=max(2, jobs), pre_dispatch=1 if jobs == 1 else 2 * jobs, batch_size=1
        )(joblib.delayed(call)(path) for path in paths)


def measure_start_up(material: VideoSet, scratch: Path, rounds: int) -> PreparationRow:
    """Return the row of interpreter, imports, workers and their detectors, once a run."""
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        warm = run_child(PREPARE_TWICE, str(material.root), str(scratch / "twice.h5"))
        seconds.append(time.perf_counter() - began - 2 * float(warm))
    return PreparationRow("start-up, once a run", statistics.median(seconds), "s of wall")


def run_child(code: str, *arguments: str) -> str:
    """Return the output of a Python program in another process."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


# 2. One pass against seeking.


def compare_seeking(material: VideoSet, rounds: int) -> PreparationRow:
    """Return the row of one pass against seeking sixteen frames, in one thread."""
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
        seeked = seek_frames(path)
        equal += [
            bool(np.array_equal(one, other)) for one, other in zip(walked, seeked, strict=False)
        ]
    times = time_in_turns({"walk": walk, "seek": seek}, rounds)
    note = f"seeking finds {np.mean(equal):.0%} of the frames asked for"
    return make_ratio_row(
        f"walk / seek, {material.name}", compare_speed(times["walk"], times["seek"]), "", note
    )


def seek_frames(path: Path) -> list[np.ndarray]:
    """Return the sampled frames, RGB, by the method of most toolkits."""
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


def measure_scaling(material: VideoSet, scratch: Path, rounds: int) -> PreparationRow:
    """Return the row of two processes against one, each with one decoder thread."""

    def run(jobs: int) -> None:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            tasks, _ = parts.plan(material.videos, Path(folder), Preparation(), decoder_threads=1)
            failures = [one for one in parts.run(list(tasks.values()), jobs) if one]
            assert not failures, failures

    times = time_in_turns({"two": lambda: run(2), "one": lambda: run(1)}, rounds)
    gain = compare_speed(times["two"], times["one"])
    shares = {name: count_busy_cores(times[name]) for name in ("two", "one")}
    # With other programs, processor time predicts the gain on two free cores.
    note = f"two free cores: {2 * gain.cpu:.2f}; " + "; ".join(
        f"{name} had {own:.2f} cores, others {others:.2f}" for name, (own, others) in shares.items()
    )
    what = f"two processes / one, {material.name} ({len(material.videos)} videos)"
    return make_ratio_row(what, gain, ">= 1.80 wall", note)


# 4. Memory.


def measure_memory(folder: Path, scratch: Path, seconds: int, threads: int) -> PreparationRow:
    """Return the row of the peak memory of a fresh worker on one 1080p video."""
    path = make_full_hd_video(folder, seconds)
    output = run_child(PRINT_PEAK, str(path), str(scratch), str(threads))
    what = f"peak memory, 1080p, {seconds} s, decoder threads: {threads}"
    return PreparationRow(what, float(output), "MB", wanted="< 700")


PRINT_PEAK = """
import re, sys, tempfile
from pathlib import Path
import psutil
from data_prep.datasets import Video
from data_prep.preparation import parts
from data_prep.preparation.clip import Preparation
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
    """Yield different clips of noise of the default size."""
    size = Preparation().size
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, size, size, 4), np.uint8)
    for number in range(count):
        yield make_clip(number, np.roll(noise, number))


def measure_batches(scratch: Path, rounds: int) -> Iterator[PreparationRow]:
    """Yield rows of random batches against a numpy memory map of the same bytes."""
    # Only this measurement needs TensorFlow.
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

        def run_passes(make: Callable[[int], object]) -> None:
            # One pass takes a tenth of a second. As in training, a batch stays alive until the
            # next one is read.
            for number in range(PASSES * len(order)):
                batch = make(number % len(order))
            del batch

        for number, rows in enumerate(order):
            assert np.array_equal(stream[number][0], mapped[rows])
        times = time_in_turns(
            {
                "stream": lambda: run_passes(lambda number: stream[number]),
                "read": lambda: run_passes(lambda number: store.read(order[number])),
                "map": lambda: run_passes(
                    lambda number: np.stack([mapped[r] for r in order[number]])
                ),
            },
            3 * rounds,
        )
    yield make_ratio_row(
        "batches of 8 / numpy memory map", compare_speed(times["stream"], times["map"]), ">= 0.80"
    )
    yield make_ratio_row("  Store.read alone", compare_speed(times["read"], times["map"]))


def measure_writing(material: VideoSet, scratch: Path) -> Iterator[PreparationRow]:
    """Yield rows of writing part files to a store, synced to disk."""
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
                frames=prepared.frames,
                media=dataclasses.asdict(prepared.media),
                shortcuts=prepared.shortcuts,
            )
            for number, clip in enumerate(make_noise_clips(STORE_CLIPS))
            for prepared in part_files.read_part(part)
        )
        path = scratch / "written.h5"
        duration = time_run(lambda: write_store(path, clips, [], {}))
        yield PreparationRow("parts to store, a second of CPU", STORE_CLIPS / duration.cpu, "clips")
        yield PreparationRow(
            "parts to store, a second of wall", STORE_CLIPS / duration.wall, "clips"
        )
        yield PreparationRow("store, a clip", path.stat().st_size / STORE_CLIPS, "bytes")
        yield PreparationRow(
            "part file, a clip, until the store is written", part.stat().st_size, "bytes"
        )


def measure(
    real: Path | None, folder: Path, rounds: int, only: str, *, quick: bool
) -> Iterator[PreparationRow]:
    """Yield every row when it is measured."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scratch = Path(name)
        short, real_ones = make_short_set(folder), list_real_sets(real)
        long = short if quick else make_long_set(folder)
        if "0" in only:
            yield measure_start_up(short, scratch, rounds)
        if "1" in only:
            measured_times: list[dict[str, list[Time]]] = []
            for material in real_ones:
                yield from measure_throughput(material, scratch, rounds, ">= 0.70", measured_times)
            if measured_times:
                yield pool_sets(measured_times)
            yield from measure_throughput(long, scratch, rounds, ">= 0.70", [])
            if not quick:
                # Without a target: these videos are too short for decoding to dominate.
                yield from measure_throughput(short, scratch, rounds, "", [])
        if "2" in only:
            for material in [*real_ones, long]:
                yield compare_seeking(material, rounds)
        if "3" in only:
            largest = max([*real_ones, long], key=lambda material: len(material.videos))
            yield measure_scaling(largest, scratch, rounds)
        if "4" in only:
            for threads in (1, joblib.cpu_count()):
                for seconds in (10, 60):
                    yield measure_memory(folder, scratch, seconds, threads)
        if "5" in only:
            yield from measure_batches(scratch, rounds)
        if "6" in only:
            yield from measure_writing(short, scratch)


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
        help="keep synthetic videos for the next run",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only",
        default="0123456",
        metavar="NUMBERS",
        help="0 start-up, 1 against decoding, 2 against seeking, 3 two processes, "
        "4 memory, 5 batches, 6 writing",
    )
    parser.add_argument("--quick", action="store_true", help="short videos, to check that it runs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = measure(chosen.real, folder, chosen.rounds, chosen.only, quick=chosen.quick)
        if chosen.json:
            print(
                json.dumps(
                    {"machine": describe_machine(), "rows": [vars(row) for row in rows]}, indent=1
                )
            )
            return
        print(describe_machine())
        print(f"medians of {chosen.rounds} rounds; ratios of speeds: above 1 is faster\n")
        for row in rows:
            print(row, flush=True)


if __name__ == "__main__":
    main()
