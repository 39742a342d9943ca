"""How fast clips are changed, and what that costs training: ``python -m bench.augmentation``.

Two tables. The first has clips a second of one core, by processor time, of every change. The second
trains detectors, without the feature cache, on batches of 8 clips kept in memory: as they are, and
changed by two threads while it trains, all taking turns. Two shares are printed: how much of a
step's wall time is lost to changing clips, and how much of its processor time goes into it. Where
cores are free, threads use them and little wall time is lost; where training or something else
keeps every core busy, both are alike. ``cores`` were kept busy by training and its threads,
``others`` by everything else: wall times mean something where others are few.

The clips are SYNTHETIC people, or those of a store: codecs take longer on some than on others.
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
from search.studies.hyperparameters import fixed  # noqa: E402
from spaces.detector import detector_space  # noqa: E402
from spaces.streams.spatial import SpatialBlock  # noqa: E402
from spaces.training.space import TrainingChoices, compile_detector  # noqa: E402

Clip = npt.NDArray[np.uint8]

SIZES = ((16, 128), (8, 96), (1, 128))
PEOPLE = 4
BATCH = 8
WANTED_SHARE = 0.10
PLAIN = "as they are"
SMALL = {"backbones": ("small_cnn",), "weights": "none"}
# As the presets train it, which is on single frames.
DEFAULT = {"backbones": ("efficientnet_lite0",), "weights": "imagenet", "trainable_stages": 2}
DETECTORS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "small_cnn, every stream": (SMALL, {}),
    "small_cnn, spatial alone": (SMALL, {"streams": ("spatial",)}),
    "efficientnet_lite0, spatial alone": (DEFAULT, {"streams": ("spatial",)}),
}
"""Settings of the spatial stream and of the space."""


@dataclasses.dataclass(frozen=True)
class Speed:
    """How fast one change is.

    Attributes:
        change: what is done.
        frames, side: of the clips.
        clips: a second of one core.
    """

    change: str
    frames: int
    side: int
    clips: float


@dataclasses.dataclass(frozen=True)
class Step:
    """A training step fed in one way.

    Attributes:
        detector: one of :data:`DETECTORS`.
        frames, side: of the clips.
        fed: how clips were changed.
        seconds: of wall time, median over the rounds.
        cores: kept busy by training and threads.
        others: kept busy by everything else.
        share: of its wall time that changing takes.
        work: of its processor time that changing takes.
    """

    detector: str
    frames: int
    side: int
    fed: str
    seconds: float
    cores: float
    others: float
    share: float
    work: float


def _changed(clip: Clip, rng: np.random.Generator, strength: Any) -> Clip:
    clips = {"frames": clip.copy()}
    augment(clips, rng, strength)
    return clips["frames"]


def _half_pseudo_fakes(clip: Clip, rng: np.random.Generator) -> Clip:
    made = pseudo_fake(clip, None, rng)[0] if rng.random() < 0.5 else clip
    return _changed(made, rng, "strong")


FEEDS: dict[str, Callable[[Clip, np.random.Generator], Clip]] = {
    PLAIN: lambda clip, rng: clip,
    "light": partial(_changed, strength="light"),
    "strong": partial(_changed, strength="strong"),
    "strong, half pseudo-fakes": _half_pseudo_fakes,
}
CHANGES: dict[str, Callable[[Clip, np.random.Generator], object]] = {
    "pseudo_fake": lambda clip, rng: pseudo_fake(clip, None, rng),
    "degrade": degrade,
    "cut_out": lambda clip, rng: cut_out(clip, None, rng),
    "JPEG alone": lambda clip, rng: degradation.jpeg(_colours(clip), 60),
    "H.264 alone": lambda clip, rng: degradation.h264(_colours(clip), 28.0),
    "noise alone": lambda clip, rng: degradation.grain(_colours(clip), 4.0, rng),
    "augment, light": FEEDS["light"],
    "augment, strong": FEEDS["strong"],
    "augment, strong, half pseudo-fakes": FEEDS["strong, half pseudo-fakes"],
}
_colours = degradation.colours_of


class _Batches(keras.utils.PyDataset):
    """Batches of clips in memory, changed by threads as training does it."""

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
            self._change(self._clips[at % len(self._clips)], rng)
            for at in range(index * BATCH, (index + 1) * BATCH)
        ]
        return np.stack(clips), np.arange(BATCH, dtype=np.float32)[:, None] % 2


def speeds(clips: list[Clip], rounds: int, calls: int) -> Iterator[Speed]:
    """A row for each change of clips of one size."""
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


def steps(clips: list[Clip], rounds: int, count: int) -> Iterator[Step]:
    """A row for each detector and way to feed it."""
    shape = clips[0].shape
    for detector, (network, values) in DETECTORS.items():
        if len(clips[0]) == 1 and "streams" not in values:
            continue  # Single frames show no motion.
        keras.utils.clear_session()
        space = detector_space(shape, spatial=SpatialBlock(**network), **values)
        model = build_detector(space, fixed({}), 0, "float32")
        compile_detector(model, TrainingChoices(), steps_per_epoch=count)
        runs = {
            name: partial(_fit, model, _Batches(clips, change, count))
            for name, change in FEEDS.items()
        }
        time_in_turns(runs, 1)
        times = time_in_turns(runs, rounds)
        for fed, found in times.items():
            busy, others = count_busy_cores(found)
            yield Step(
                detector,
                *shape[:2],
                fed=fed,
                seconds=statistics.median(one.wall for one in found) / count,
                cores=busy,
                others=others,
                share=_share(found, times[PLAIN], "wall"),
                work=_share(found, times[PLAIN], "cpu"),
            )


def _fit(model: keras.Model, batches: _Batches) -> None:
    model.fit(batches, epochs=1, verbose=0, shuffle=False)


def _share(fed: list[Time], plain: list[Time], clock: str) -> float:
    """How much of a step is the change, the median over the rounds."""
    pairs = zip(fed, plain, strict=True)
    return statistics.median(
        1 - getattr(before, clock) / getattr(after, clock) for after, before in pairs
    )


def make_synthetic_clips(folder: Path, frames: int, side: int) -> list[Clip]:
    """One clip of each of a few SYNTHETIC people."""
    clips = []
    for person in range(PEOPLE):
        path = synthesize_clip(folder / f"{person}.mp4", fake=False, seed=person, frames=32)
        sampled = read_frames(path, frames).frames
        small = [cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA) for frame in sampled]
        clips.append(with_grey(np.stack(small)))
    return clips


def read_stored_clips(path: Path, frames: int, side: int) -> list[Clip]:
    """Real clips of a store, made as long and as large as wanted."""
    with Store(path) as store:
        stored = store.read(np.flatnonzero(store.labels == REAL)[:PEOPLE])
    clips = []
    for clip in stored:
        at = np.linspace(0, len(clip) - 1, frames).round().astype(int)
        small = [cv2.resize(frame, (side, side)) for frame in clip[at, ..., :3]]
        clips.append(with_grey(np.stack(small)))
    return clips


def build_speed_table(rows: list[Speed]) -> Table:
    """A line a change, a column a size."""
    shown = Table(title="clips a second of one core")
    shown.add_column("change")
    for frames, side in SIZES:
        shown.add_column(f"{frames} x {side} px", justify="right")
    for change in CHANGES:
        found = [row for row in rows if row.change == change]
        shown.add_row(change, *(f"{row.clips:.0f} ({1000 / row.clips:.1f} ms)" for row in found))
    return shown


def build_step_table(rows: list[Step]) -> Table:
    """A line a detector, a size and a way to feed it."""
    shown = Table(title=f"a training step of {BATCH} clips, changed by two threads meanwhile")
    for column in ("detector", "clips", "changed"):
        shown.add_column(column)
    wanted = f"below {WANTED_SHARE:.0%}"
    for column in ("step", "of wall time", wanted, "of processor time", "cores", "others"):
        shown.add_column(column, justify="right")
    for row in rows:
        plain = row.fed == PLAIN
        shown.add_row(
            row.detector,
            f"{row.frames} x {row.side} px",
            row.fed,
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
    parser.add_argument("--store", type=Path, help="take the real clips of this store")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=40, help="of each change, a round")
    parser.add_argument("--steps", type=int, default=10, help="of training, a round")
    parser.add_argument("--json", action="store_true", help="for programs")
    chosen = parser.parse_args()
    # One core is what is measured; where there are more, every thread has its own.
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
            fast += speeds(clips, chosen.rounds, chosen.calls)
            trained += steps(clips, chosen.rounds, chosen.steps)
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
