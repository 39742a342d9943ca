"""Growth of time and memory: ``python -m bench.growth [--only NAMES] [--largest N] [--json]``.

Each row times a whole process and the peak of its memory at several sizes. The exponent is the
slope of log time over log size between the last two sizes: 1 is linear, 2 is quadratic. The start
of a process, about 1 s without TensorFlow and 4 s with it, is in every time.

Clips are SYNTHETIC noise of one frame of 32 px, because the time of these commands depends on the
number of clips. Trials are copies of one real trial with other values. The pictures are SYNTHETIC
noise without a face, so that only listing and quarantine are measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import optuna
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE
from bench.shared.timing import describe_machine
from bench.shared.videos import make_clip, make_uhd_video
from data_prep.preparation.clip import Preparation
from data_prep.preparation.shortcuts import QUANTITIES
from data_prep.store.format import SPLITS, Clip
from data_prep.store.store import write_store
from data_prep.synthetic.synthesize import synthesize_clip
from data_prep.video.grey import with_grey
from data_prep.video.video import read_frames
from search.studies.study import open_study

SIDE = 32
SMALL = 400
"""Clips of the store whose run is used where another size grows."""

_CLIPS_A_PERSON = 4
_MEDIA = {
    "codec": "h264",
    "width": 64,
    "height": 64,
    "frames": 1,
    "bytes": 1000,
    "fps": 25.0,
    "duration": 0.04,
}
_TRAIN = """\
store = "{store}"
run_dir = "{run}"
[space]
streams = ["spatial"]
backbones = ["small_cnn"]
weights = "none"
[architecture]
trials = {trials}
samples = 256
batch_size = 256
[gan]
trials = 0
[training]
trials = 0
views = 0
pseudo_fakes = 0.0
augmentation = "none"
"""


@dataclasses.dataclass(frozen=True)
class Cost:
    """Cost of one process: wall time in seconds, peak memory in MB."""

    size: int
    seconds: float
    megabytes: float


@dataclasses.dataclass(frozen=True)
class Growth:
    """Costs of one command by size, smallest first."""

    command: str
    unit: str
    costs: tuple[Cost, ...]

    @property
    def exponent(self) -> float | None:
        """Slope of log time over log size between the last two sizes; None with one size."""
        if len(self.costs) < 2:
            return None
        small, large = self.costs[-2:]
        return math.log(large.seconds / small.seconds) / math.log(large.size / small.size)


def measure(arguments: Sequence[str | Path], size: int) -> Cost:
    """Run ``dfsearch`` with arguments and return its cost.

    Raises:
        RuntimeError: The command failed.
    """
    command = [sys.executable, "-m", "search.cli", *map(str, arguments)]
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        if status:
            output.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {output.read().decode()[-2000:]}")
    return Cost(size, seconds, usage.ru_maxrss / 1024)


def make_store(folder: Path, clips: int) -> Path:
    """Return a store of noise clips of four a person, made if missing."""
    path = folder / f"noise-{clips}.h5"
    if not path.exists():
        preparation = Preparation(frames=1, size=SIDE).to_dict()
        write_store(path, _noise(clips), [], {"clip": preparation, "synthetic": True})
    return path


def _noise(count: int) -> Iterator[Clip]:
    rng = np.random.default_rng(0)
    for number in range(count):
        person = number // _CLIPS_A_PERSON
        split = SPLITS[(0, 0, 0, 0, 0, 0, 0, 1, 1, 2)[person % 10]]
        noise = rng.integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
        clip = make_clip(number, with_grey(noise))
        yield dataclasses.replace(
            clip,
            key=f"noise/{clip.method}/unknown/{number:06d}",
            group=f"person{person}",
            split=split,
            path=f"noise/{number:06d}.mp4",
            sha256=f"{number:064x}",
            media=_MEDIA,
            boxes=np.array([[8, 8, 24, 24]], np.float32),
            shortcuts={name: float(rng.normal()) for name in QUANTITIES},
        )


def make_run(folder: Path, store: Path) -> RunDirectory:
    """Return a finished run of one trial on a store, made if missing."""
    run = RunDirectory(folder / f"run-{store.stem}")
    if not run.certificate.exists():
        config = folder / f"{store.stem}.toml"
        config.write_text(_TRAIN.format(store=store, run=run.root, trials=1))
        subprocess.run([sys.executable, "-m", "search.cli", "run", str(config)], check=True)
    return run


def make_trials(folder: Path, run: RunDirectory, trials: int) -> RunDirectory:
    """Return a copy of a run whose only trial is repeated with other values."""
    many = RunDirectory(folder / f"{run.root.name}-{trials}")
    if many.root.exists():
        return many
    partial = RunDirectory(folder / f"partial-{many.root.name}")
    shutil.rmtree(partial.root, ignore_errors=True)
    shutil.copytree(run.root, partial.root)
    study = open_study(partial, ARCHITECTURE)
    (first,) = study.get_trials()
    rng = np.random.default_rng(0)
    copies = []
    for number in range(1, trials):
        value = [float(np.clip(first.values[0] + rng.normal(0, 0.1), 0, 1)), *first.values[1:]]
        copies.append(
            optuna.create_trial(
                state=first.state,
                values=value,
                params=_other_values(first, rng),
                distributions=first.distributions,
                user_attrs=first.user_attrs,
                intermediate_values=first.intermediate_values,
            )
        )
        shutil.copytree(run.trial(ARCHITECTURE, 0), partial.trial(ARCHITECTURE, number))
    study.add_trials(copies)
    partial.root.rename(many.root)
    return many


def _other_values(trial: optuna.trial.FrozenTrial, rng: np.random.Generator) -> dict[str, object]:
    """Return other values for the parameters of a trial, drawn from their ranges."""
    drawn = optuna.samplers.RandomSampler(seed=int(rng.integers(2**31)))
    study = optuna.create_study(sampler=drawn)
    other = study.ask(dict(trial.distributions))
    return dict(other.params)


def make_pictures(folder: Path, count: int) -> Path:
    """Return a folder of distinct pictures of noise and four with a face, made if missing."""
    root = folder / f"pictures-{count}"
    if root.exists():
        return root
    partial = folder / f"partial-{root.name}"
    rng = np.random.default_rng(0)
    for label in ("real", "fake"):
        (partial / label).mkdir(parents=True, exist_ok=True)
        video = synthesize_clip(folder / f"{label}.mp4", fake=label == "fake", frames=2, size=256)
        for number, frame in enumerate(read_frames(video, 2).frames):
            Image.fromarray(frame[..., :3]).save(partial / label / f"face{number}.png")
        for number in range(count // 2 - 2):
            noise = rng.integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(noise).save(partial / label / f"{number:06d}.png")
    return partial.rename(root)


def make_4k_video(folder: Path, seconds: int) -> Path:
    """Return a folder with one SYNTHETIC 4K video: ten seconds, repeated without encoding."""
    root = folder / f"4k-{seconds}"
    if root.exists():
        return root
    short = make_uhd_video(folder, 10)
    partial = folder / f"partial-{root.name}"
    partial.mkdir(exist_ok=True)
    command = [get_ffmpeg_exe(), "-y", "-v", "error", "-stream_loop", "-1", "-i", str(short)]
    command += ["-t", str(seconds), "-c", "copy", str(partial / "video.mp4")]
    subprocess.run(command, check=True)
    return partial.rename(root)


def measure_audit(folder: Path, size: int) -> Cost:
    """Measure the audit of a store of so many clips."""
    return measure(["audit", make_store(folder, size)], size)


def measure_evaluation(folder: Path, size: int) -> Cost:
    """Measure a detector on so many clips of another store."""
    run = make_run(folder, make_store(folder, SMALL))
    return measure(["evaluate", run.root, make_store(folder, size), "--split", "all"], size)


def measure_report(folder: Path, size: int) -> Cost:
    """Measure the report of a run on a store of so many clips."""
    return measure(["report", make_run(folder, make_store(folder, size)).root], size)


def measure_leaderboard(folder: Path, size: int) -> Cost:
    """Measure the leaderboard of a run on a store of so many clips."""
    return measure(["leaderboard", make_run(folder, make_store(folder, size)).root], size)


def measure_report_of_trials(folder: Path, size: int) -> Cost:
    """Measure the report of a run of so many trials."""
    run = make_run(folder, make_store(folder, SMALL))
    return measure(["report", make_trials(folder, run, size).root], size)


def measure_leaderboard_of_trials(folder: Path, size: int) -> Cost:
    """Measure the leaderboard of a run of so many trials."""
    run = make_run(folder, make_store(folder, SMALL))
    return measure(["leaderboard", make_trials(folder, run, size).root], size)


def measure_pictures(folder: Path, size: int) -> Cost:
    """Measure the preparation of a folder of so many files; almost all are quarantined."""
    return _measure_preparation(folder, make_pictures(folder, size), size)


def measure_long_video(folder: Path, size: int) -> Cost:
    """Measure the preparation of one 4K video of so many seconds."""
    return _measure_preparation(folder, make_4k_video(folder, size), size, "--label", "real")


def _measure_preparation(folder: Path, source: Path, size: int, *arguments: str) -> Cost:
    store = folder / "growth.h5"
    command: list[str | Path] = ["prepare", source, store, "--split-policy", "test"]
    command += ["--jobs", "1", "--overwrite"]
    return measure([*command, *arguments], size)


Measure = Callable[[Path, int], Cost]
ROWS: Mapping[str, tuple[str, tuple[int, ...], Measure]] = {
    "audit": ("clips", (500, 5_000, 50_000), measure_audit),
    "evaluate": ("clips", (500, 5_000, 50_000), measure_evaluation),
    "leaderboard": ("clips", (500, 5_000, 50_000), measure_leaderboard),
    "report": ("clips", (500, 5_000, 50_000), measure_report),
    "leaderboard of trials": ("trials", (20, 200, 2_000), measure_leaderboard_of_trials),
    "report of trials": ("trials", (20, 200, 2_000), measure_report_of_trials),
    "prepare many files": ("files", (200, 2_000, 20_000), measure_pictures),
    "prepare a 4K video": ("seconds", (60, 600), measure_long_video),
}
"""Unit, sizes and measurement of each row."""


def measure_growth(folder: Path, names: Sequence[str], largest: int | None) -> Iterator[Growth]:
    """Yield the rows of these names, one when it is measured.

    Args:
        folder: Folder of the material, kept between calls.
        names: Rows to measure.
        largest: Leave out larger sizes.
    """
    for name in names:
        unit, sizes, measure_one = ROWS[name]
        chosen = [size for size in sizes if largest is None or size <= largest]
        yield Growth(name, unit, tuple(measure_one(folder, size) for size in chosen))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.growth", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--keep", type=Path, help="folder for the material, reused next time")
    parser.add_argument("--only", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--largest", type=int, help="leave out larger sizes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    names = chosen.only.split(",")
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"unknown row {', '.join(unknown)}: choose from {', '.join(ROWS)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.keep or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        if not chosen.json:
            print(
                f"{describe_machine()}\n\n{'':<24}{'size':>16}{'seconds':>10}{'MB':>8}{'exponent':>10}"
            )
        for row in measure_growth(folder, names, chosen.largest):
            rows.append(row)
            if not chosen.json:
                print("\n".join(_lines(row)), flush=True)
    if chosen.json:
        found = [dataclasses.asdict(row) | {"exponent": row.exponent} for row in rows]
        print(json.dumps({"machine": describe_machine(), "rows": found}, indent=1))


def _lines(row: Growth) -> Iterator[str]:
    """Yield a line for each size; the exponent stands in the last one."""
    for cost in row.costs:
        last = cost is row.costs[-1] and row.exponent is not None
        exponent = f"{row.exponent:>10.2f}" if last else ""
        size = f"{cost.size:,} {row.unit}"
        yield f"{row.command:<24}{size:>16}{cost.seconds:>10.1f}{cost.megabytes:>8.0f}{exponent}"


if __name__ == "__main__":
    main()
