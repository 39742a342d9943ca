"""A plan for many clips: ``python -m bench.scaling [--clips N] [--trials N] [--cores N] [--json]``.

Two costs are measured on one core by processor time, on a small SYNTHETIC store of noise: a
training step of the default detector (EfficientNet-Lite0 whose last two stages train, on pictures
of 128 px), and its features, which are computed once. Time and bytes do not depend on content. The
cost of preparing a video comes from ``python -m bench.preparation``. The rest is arithmetic, shown
line by line.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from artifacts.quiet import import_tensorflow
from bench.shared.timing import describe_machine
from bench.shared.videos import make_clip
from data_prep.preparation.clip import Preparation
from data_prep.store.format import Clip
from data_prep.store.store import Store, write_store

FRAMES, SIDE, CHANNELS = 16, 128, 4
BATCH, VIEWS = 32, 8

# From python -m bench.preparation: decoding H.264 takes 2.4 ns a pixel, everything else 0.1 s a
# video; a store is written at 195 clips a second, and an open one takes 1.5 KB a clip.
PIXEL, VIDEO = 2.4e-9, 0.1
WRITING, OPEN = 195, 1500
# A video like those of DFDC: 300 frames of 1080p.
PIXELS = 300 * 1920 * 1080


@dataclasses.dataclass(frozen=True)
class Costs:
    """Costs of one picture on one core in seconds, and bytes of its features."""

    features: float
    step: float
    bytes: int


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the plan: a figure, its unit and its derivation."""

    what: str
    value: float
    unit: str
    how: str

    def __str__(self) -> str:
        return f"{self.what:<42}{self.value:>9,.3g} {self.unit:<7}{self.how}"


def make_noise_clips(count: int) -> Iterator[Clip]:
    """Yield pictures of noise."""
    rng = np.random.default_rng(0)
    for number in range(count):
        yield make_clip(number, rng.integers(0, 256, (1, SIDE, SIDE, CHANNELS), np.uint8))


def measure_costs(rounds: int) -> Costs:
    """Compute features of pictures, train on them, and return the costs."""
    # One thread, so that processor time excludes waiting.
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    import_tensorflow()
    import keras_tuner

    from search.detectors.space import build_detector
    from search.features.cache import FeatureCache
    from search.features.suffix import cut_prefix
    from search.samples.samples import clips_of
    from spaces.detector import detector_space
    from spaces.streams.spatial import SpatialBlock
    from spaces.streams.temporal import TemporalBlock
    from spaces.training.space import TrainingChoices, compile_detector

    graph = detector_space(
        (1, SIDE, SIDE, CHANNELS),
        streams=["spatial"],
        searched=False,
        spatial=SpatialBlock(("efficientnet_lite0",), trainable_stages=2, inflated_stages=0),
        temporal=TemporalBlock("mean"),
    )
    model = build_detector(graph, keras_tuner.HyperParameters(), 0)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "noise.h5"
        preparation = dataclasses.asdict(Preparation(frames=1, size=SIDE))
        write_store(path, make_noise_clips(2 * BATCH), [], {"clip": preparation, "synthetic": True})
        with Store(path) as store:
            samples = clips_of(store, store.rows("train"))
            with cut_prefix(model, FeatureCache(Path(name) / "features"), samples, None) as suffix:
                ((of_clips,),) = suffix.train.values()
                held = np.stack([of_clips[0][at] for at in range(BATCH)])
                frames = store.read(np.arange(BATCH), "frames")
            compile_detector(suffix.model, TrainingChoices(batch_size=BATCH))
            labels = np.arange(BATCH)[:, None] % 2
            whole, step = [], []
            for _ in range(rounds + 1):
                whole.append(_time_seconds(lambda: model.predict_on_batch(frames)))
                part = _time_seconds(lambda: suffix.model.predict_on_batch(held))
                whole[-1] -= part
                step.append(_time_seconds(lambda: suffix.model.train_on_batch(held, labels)))
    # The first run of each is traced.
    features, trained = statistics.median(whole[1:]), statistics.median(step[1:])
    return Costs(features / BATCH, trained / BATCH, held.nbytes // BATCH)


def _time_seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def build_plan(costs: Costs, clips: int, trials: int, passes: int, cores: int) -> list[Line]:
    """Return the time and space of preparation and search, line by line."""
    clip_bytes = FRAMES * SIDE * SIDE * CHANNELS
    store = clips * clip_bytes
    video_seconds = PIXELS * PIXEL + VIDEO
    preparing = clips * video_seconds / 3600
    train, val = 0.7 * clips, 0.15 * clips
    views = 1.5 * train * VIEWS
    seen = passes * 1.5 * train
    validated = passes * val * FRAMES
    once = (views + val * FRAMES) * costs.features / 3600
    # Validation is a forward pass, about a third of a step.
    trial = (seen * costs.step + validated * costs.step / 3) / 3600
    without_cache = trial + (seen + validated) * costs.features / 3600
    held = (views + val * FRAMES) * costs.bytes
    hosts, on_pictures = f"{cores} cores", f"one core, {passes} passes over pictures"
    return [
        Line("a clip", clip_bytes / 1e6, "MB", f"{FRAMES} x {SIDE} x {SIDE} x {CHANNELS} bytes"),
        Line("the store", store / 1e12, "TB", f"{clips:,} clips"),
        Line("on disk while it is written", 2 * store / 1e12, "TB", "parts and store"),
        Line("preparing a video", video_seconds, "s", "one core: 2.4 ns per pixel, and 0.1 s"),
        Line("preparing all", preparing, "h", "one core"),
        Line("", preparing / cores, "h", hosts),
        Line("writing the store", clips / WRITING / 3600, "h", "195 clips per second"),
        Line("memory of an open store", clips * OPEN / 1e9, "GB", "each process, 1.5 KB per clip"),
        Line("features of a picture", costs.features * 1e3, "ms", "one core, measured"),
        Line("", costs.bytes / 1e3, "KB", "measured"),
        Line("features once, for all trials", once, "h", "one core: 8 views, and validation"),
        Line("", once / cores, "h", hosts),
        Line("on disk", held / 1e12, "TB", "8 views, and validation"),
        Line("a training step, per picture", costs.step * 1e3, "ms", "one core, measured"),
        Line("a trial, features cached", trial, "h", on_pictures),
        Line("a trial, features computed every time", without_cache, "h", on_pictures),
        Line(f"{trials} such trials", trials * without_cache / cores, "h", hosts),
    ]


def main() -> None:
    """Measure, plan and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scaling", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument(
        "--passes", type=int, default=10, help="how often a trial shows each picture"
    )
    parser.add_argument("--cores", type=int, default=256, help="cores of all hosts together")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    costs = measure_costs(chosen.rounds)
    lines = build_plan(costs, chosen.clips, chosen.trials, chosen.passes, chosen.cores)
    if chosen.json:
        rows = [dataclasses.asdict(line) for line in lines]
        print(json.dumps({"machine": describe_machine(), "plan": rows}, indent=2))
        return
    print(describe_machine())
    for line in lines:
        print(line)


if __name__ == "__main__":
    main()
