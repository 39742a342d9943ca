"""Speed of augmentations and their cost in training: ``python -m bench.augmentation``.

The first table has clips a second of one core, by processor time, for every augmentation. The
second table trains detectors, without the feature cache, on batches of 8 clips in memory. They are
unchanged, or augmented by two threads meanwhile, all in turns. Two columns are the shares of a step
for augmentation, of its wall time and of its processor time. With free cores, threads use them and
the share of wall time is small. If training or other programs keep every core busy, both shares are
equal. ``cores`` were kept busy by training and its threads, ``others`` by all other processes: wall
times are valid only if others are few.

The clips are SYNTHETIC people, or those of a store: the time of codecs depends on content.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rich.table import Table

from artifacts.quiet import import_tensorflow
from bench.shared.timing import Time, count_busy_cores, describe_machine, time_in_turns

import_tensorflow()

import keras  # noqa: E402

from data_prep.store.store import REAL, Store  # noqa: E402
from data_prep.synthetic.synthesize import synthesize_clip  # noqa: E402
from data_prep.video import degradation  # noqa: E402
from data_prep.video.grey import with_grey  # noqa: E402
from data_prep.video.video import read_frames  # noqa: E402
from search.cli.console import log, tables  # noqa: E402
from search.detectors.space import build_detector  # noqa: E402
from search.samples.augmentation import augment  # noqa: E402
from search.samples.degradation import cut_out, degrade  # noqa: E402
from search.samples.pseudo_fakes import pseudo_fake  # noqa: E402
from search.studies.hyperparameters import fixed_hyperparameters  # noqa: E402
from spaces.detector import detector_space  # noqa: E402
from spaces.streams.spatial import SpatialBlock  # noqa: E402
from spaces.training.space import TrainingChoices, compile_detector  # noqa: E402

Clip = npt.NDArray[np.uint8]

SIZES = ((16, 128), (8, 96), (1, 128))
PEOPLE = 4
BATCH = 8
WANTED_SHARE = 0.10
PLAIN = "unchanged"
SMALL = {"backbones": ("small_cnn",), "weights": "none"}
# The presets train it on single frames.
DEFAULT = {"backbones": ("efficientnet_lite0",), "weights": "imagenet", "trainable_stages": 2}
DETECTORS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "small_cnn, every stream": (SMALL, {}),
    "small_cnn, spatial alone": (SMALL, {"streams": ("spatial",)}),
    "efficientnet_lite0, spatial alone": (DEFAULT, {"streams": ("spatial",)}),
}
"""Settings of the spatial stream and of the space."""


@dataclasses.dataclass(frozen=True)
class Speed:
    """Speed of one augmentation.

    Attributes:
        change: Name.
        frames, side: Shape of the clips.
        clips: Clips a second of one core.
    """

    change: str
    frames: int
    side: int
    clips: float


@dataclasses.dataclass(frozen=True)
class Step:
    """A training step with one kind of augmentation.

    Attributes:
        detector: Key of :data:`DETECTORS`.
        frames, side: Shape of the clips.
        feed: Key of :data:`FEEDS`.
        seconds: Wall time, median over the rounds.
        cores: Cores kept busy by training and its threads.
        others: Cores kept busy by other processes.
        share: Share of wall time for augmentation.
        work: Share of processor time for augmentation.
    """

    detector: str
    frames: int
    side: int
    feed: str
    seconds: float
    cores: float
    others: float
    share: float
    work: float


def _augment(clip: Clip, rng: np.random.Generator, strength: Any) -> Clip:
    clips = {"frames": clip.copy()}
    augment(clips, rng, strength)
    return clips["frames"]


def _mix_pseudo_fakes(clip: Clip, rng: np.random.Generator) -> Clip:
    source = pseudo_fake(clip, None, rng)[0] if rng.random() < 0.5 else clip
    return _augment(source, rng, "strong")


FEEDS: dict[str, Callable[[Clip, np.random.Generator], Clip]] = {
    PLAIN: lambda clip, rng: clip,
    "light": partial(_augment, strength="light"),
    "strong": partial(_augment, strength="strong"),
    "strong, half pseudo-fakes": _mix_pseudo_fakes,
}
CHANGES: dict[str, Callable[[Clip, np.random.Generator], object]] = {
    "pseudo_fake": lambda clip, rng: pseudo_fake(clip, None, rng),
    "degrade": degrade,
    "cut_out": lambda clip, rng: cut_out(clip, None, rng),
    "JPEG": lambda clip, rng: degradation.jpeg(_take_colours(clip), 60),
    "H.264": lambda clip, rng: degradation.h264(_take_colours(clip), 28.0),
    "noise": lambda clip, rng: degradation.grain(_take_colours(clip), 4.0, rng),
    "augment, light": FEEDS["light"],
    "augment, strong": FEEDS["strong"],
    "augment, strong, half pseudo-fakes": FEEDS["strong, half pseudo-fakes"],
}
_take_colours = degradation.extract_colours


class _Batches(keras.utils.PyDataset):
    """Batches of clips in memory, augmented by threads like in training."""

    def __init__(
        self, clips: list[Clip], change: Callable[[Clip, np.random.Generator], Clip], steps: int
    ) -> None:
        super().__init__(workers=2, max_queue_size=4)
        self._clips, self._change, self._steps = clips, change, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> tuple[Clip, npt.NDArray[np.float32]]:
        rng = np.random.default_rng(index)
        clips = [
            self._change(self._clips[number % len(self._clips)], rng)
            for number in range(index * BATCH, (index + 1) * BATCH)
        ]
        return np.stack(clips), np.arange(BATCH, dtype=np.float32)[:, None] % 2


def measure_speeds(clips: list[Clip], rounds: int, calls: int) -> Iterator[Speed]:
    """Yield a row for each augmentation of clips of one size."""
    times: dict[str, list[float]] = {name: [] for name in CHANGES}
    for turn in range(rounds + 1):
        for name, change in CHANGES.items():
            rng = np.random.default_rng(turn)
            began = time.process_time()
            for call in range(calls):
                change(clips[call % len(clips)], rng)
            # The first turn fills caches.
            if turn:
                times[name].append((time.process_time() - began) / calls)
    for name, found in times.items():
        yield Speed(name, *clips[0].shape[:2], clips=1 / statistics.median(found))


def measure_steps(clips: list[Clip], rounds: int, count: int) -> Iterator[Step]:
    """Yield a row for each detector and kind of augmentation."""
    shape = clips[0].shape
    for detector, (network, values) in DETECTORS.items():
        if len(clips[0]) == 1 and "streams" not in values:
            continue  # Single frames show no motion.
        keras.utils.clear_session()
        space = detector_space(shape, spatial=SpatialBlock(**network), **values)
        model = build_detector(space, fixed_hyperparameters({}), 0, "float32")
        compile_detector(model, TrainingChoices())
        runs = {
            name: partial(_fit, model, _Batches(clips, change, count))
            for name, change in FEEDS.items()
        }
        time_in_turns(runs, 1)
        times = time_in_turns(runs, rounds)
        for feed, found in times.items():
            busy, others = count_busy_cores(found)
            yield Step(
                detector,
                *shape[:2],
                feed=feed,
                seconds=statistics.median(one.wall for one in found) / count,
                cores=busy,
                others=others,
                share=_compute_share(found, times[PLAIN], "wall"),
                work=_compute_share(found, times[PLAIN], "cpu"),
            )


def _fit(model: keras.Model, batches: _Batches) -> None:
    model.fit(batches, epochs=1, verbose=0, shuffle=False)


def _compute_share(feed: list[Time], plain: list[Time], clock: str) -> float:
    """Return the share of a step for augmentation, the median over the rounds."""
    pairs = zip(feed, plain, strict=True)
    return statistics.median(
        1 - getattr(before, clock) / getattr(after, clock) for after, before in pairs
    )


def make_synthetic_clips(folder: Path, frames: int, side: int) -> list[Clip]:
    """Return one clip of each of a few SYNTHETIC people."""
    clips = []
    for person in range(PEOPLE):
        path = synthesize_clip(folder / f"{person}.mp4", fake=False, seed=person, frames=32)
        sampled = read_frames(path, frames).frames
        small = [cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in sampled]
        clips.append(with_grey(np.stack(small)))
    return clips


def read_stored_clips(path: Path, frames: int, side: int) -> list[Clip]:
    """Return real clips of a store, resized to this shape."""
    with Store(path) as store:
        stored = store.read(np.flatnonzero(store.labels == REAL)[:PEOPLE])
    clips = []
    for clip in stored:
        index = np.linspace(0, len(clip) - 1, frames).round().astype(int)
        small = [cv2.resize(frame, (side, side)) for frame in clip[index, ..., :3]]
        clips.append(with_grey(np.stack(small)))
    return clips


def build_speed_table(rows: list[Speed]) -> Table:
    """Return a table with a row an augmentation and a column a size."""
    shown = Table(title="clips a second of one core")
    shown.add_column("augmentation")
    for frames, side in SIZES:
        shown.add_column(f"{frames} x {side} px", justify="right")
    for change in CHANGES:
        found = [row for row in rows if row.change == change]
        shown.add_row(change, *(f"{row.clips:.0f} ({1000 / row.clips:.1f} ms)" for row in found))
    return shown


def build_step_table(rows: list[Step]) -> Table:
    """Return a table with a row for each detector, size and kind of augmentation."""
    shown = Table(title=f"a training step of {BATCH} clips, augmented by two threads meanwhile")
    for column in ("detector", "clips", "augmentation"):
        shown.add_column(column)
    wanted = f"below {WANTED_SHARE:.0%}"
    for column in ("step", "share of wall time", wanted, "of processor time", "cores", "others"):
        shown.add_column(column, justify="right")
    for row in rows:
        plain = row.feed == PLAIN
        shown.add_row(
            row.detector,
            f"{row.frames} x {row.side} px",
            row.feed,
            f"{1000 * row.seconds:.0f} ms",
            "" if plain else f"{row.share:.0%}",
            "" if plain else ("yes" if row.share < WANTED_SHARE else "no"),
            "" if plain else f"{row.work:.0%}",
            f"{row.cores:.1f}",
            f"{row.others:.1f}",
        )
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.augmentation", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--store", type=Path, help="use the real clips of this store")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=40, help="calls of each augmentation, a round")
    parser.add_argument("--steps", type=int, default=10, help="training steps, a round")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    # The unit is one core; with more cores, every thread has its own.
    cv2.setNumThreads(1)
    fast: list[Speed] = []
    trained: list[Step] = []
    with tempfile.TemporaryDirectory() as name:
        for size in SIZES:
            log.print("clips of {} x {} px".format(*size))
            clips = (
                read_stored_clips(chosen.store, *size)
                if chosen.store
                else make_synthetic_clips(Path(name), *size)
            )
            fast += measure_speeds(clips, chosen.rounds, chosen.calls)
            trained += measure_steps(clips, chosen.rounds, chosen.steps)
    if chosen.json:
        rows = {"changes": list(map(vars, fast)), "steps": list(map(vars, trained))}
        print(json.dumps({"machine": describe_machine(), **rows}, indent=1))
        return
    print("SYNTHETIC clips" if chosen.store is None else f"real clips of {chosen.store.name}")
    tables().print(build_speed_table(fast))
    tables().print(build_step_table(trained))
    print(describe_machine())


if __name__ == "__main__":
    main()
