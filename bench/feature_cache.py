"""Time saved by the feature cache: ``python -m bench.feature_cache [--clips N] [--rounds N]``.

A detector of one spatial stream (a backbone frame by frame, the mean or a BiLSTM, fusion) is
trained whole, and after its frozen prefix with cached features, on a SYNTHETIC store of noise: 8
frames of 96 px. Frozen weights are random, since time does not depend on them. Epochs of both take
turns. The last rows compare backbones inflated for clips with their two-dimensional originals,
forward and in a training step. Models are compiled and warm before timing. If other programs run,
use the ratio by processor time.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from artifacts.quiet import import_tensorflow
from bench.shared.timing import Ratio, Time, compare_speed, describe_machine, time_in_turns
from bench.shared.videos import make_clip
from data_prep.store.format import Clip
from data_prep.store.store import Store, write_store

import_tensorflow()

import keras  # noqa: E402
import keras_tuner  # noqa: E402
import tensorflow as tf  # noqa: E402

from search.features.cache import FeatureCache, readable_bytes  # noqa: E402
from search.features.suffix import cut_prefix  # noqa: E402
from search.samples.batches import ClipBatches, Inputs, Sampling  # noqa: E402
from search.samples.samples import training_samples, validation_samples  # noqa: E402
from spaces.backbones.inflation import inflate  # noqa: E402
from spaces.detector import detector_space  # noqa: E402
from spaces.streams.spatial import SpatialBlock  # noqa: E402
from spaces.streams.temporal import TemporalBlock  # noqa: E402
from spaces.training.space import TrainingChoices, compile_detector  # noqa: E402

FRAMES, SIDE = 8, 96
BATCH = 8
# A trial calls fit once, so one call has several epochs.
EPOCHS_A_TURN = 10
STEP_CLIPS = 2

NETWORKS = {"resnet50": keras.applications.ResNet50, "vgg16": keras.applications.VGG16}
MEAN, SMALL, LARGE = "mean", "BiLSTM of 32", "BiLSTM of 256, the default"
# By letter: backbone, number of stages that train, temporal stage.
CASES = {
    "a": (("resnet50", 0, MEAN), ("resnet50", 0, SMALL), ("resnet50", 0, LARGE)),
    "b": (("vgg16", 0, SMALL),),
    "c": (("resnet50", 2, SMALL),),
}
WANTED_GAIN = 20.0
WANTED_RATIO = 1.05


@dataclasses.dataclass(frozen=True)
class CacheRow:
    """A row of the table: a figure, its target, and whether it meets the target."""

    what: str
    value: float
    unit: str
    cpu: float | None = None
    wanted: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        shown = (
            readable_bytes(self.value) if self.unit == "bytes" else f"{self.value:.3g} {self.unit}"
        )
        cpu = "" if self.cpu is None else f"CPU {self.cpu:.3g}"
        met = "" if self.met is None else ("met" if self.met else "NOT MET")
        return f"{self.what:<70}{shown:<16}{cpu:<14}{self.wanted:<10}{met}".rstrip()


def make_noise_clips(count: int) -> Iterator[Clip]:
    """Yield noise; three of four clips are for training."""
    rng = np.random.default_rng(0)
    for number in range(count):
        clip = make_clip(number, rng.integers(0, 256, (FRAMES, SIDE, SIDE, 4), np.uint8))
        yield dataclasses.replace(clip, split="val" if number % 8 > 5 else "train")


def build_detector(
    store: Store, network: str, stages: int, over_time: str, folder: Path
) -> keras.Model:
    """Return a detector whose backbone trains in its last stages."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    weights = folder / f"{network}.weights.h5"
    if not weights.exists():
        shape = (SIDE, SIDE, 3)
        NETWORKS[network](include_top=False, weights=None, input_shape=shape).save_weights(weights)
    recurrent = {"recurrent_units": 256 if over_time == LARGE else 32, "recurrent_layers": 1}
    graph = detector_space(
        store.clip_shape,
        streams=["spatial"],
        searched=False,
        spatial=SpatialBlock(
            [network], str(weights), trainable_stages=stages, inflated_stages=0, frame_stride=1
        ),
        temporal=TemporalBlock("mean")
        if over_time == MEAN
        else TemporalBlock("bilstm", **recurrent),
    )
    return graph.build(keras_tuner.HyperParameters())


def measure_training(
    store: Store, case: tuple[str, int, str], scratch: Path, rounds: int
) -> Iterator[CacheRow]:
    """Yield rows of epochs of the whole model and after its prefix, and of the cache."""
    network, stages, over_time = case
    samples = training_samples(store)
    cache = FeatureCache(scratch / f"{network}-{stages}")
    is_cached = cache.folder.exists()
    turn = 1 if stages else EPOCHS_A_TURN
    whole = build_detector(store, *case, scratch)
    model = build_detector(store, *case, scratch)
    began = time.perf_counter()
    with cut_prefix(model, cache, samples, validation_samples(store)) as suffix:
        assert not suffix.note
        compute_seconds = time.perf_counter() - began
        frames = ClipBatches(samples, batch_size=BATCH, sampling=Sampling(0))
        features = ClipBatches(
            samples, Inputs(suffix.names, suffix.train), batch_size=BATCH, sampling=Sampling(0)
        )
        for one in (whole, suffix.model):
            compile_detector(one, TrainingChoices(batch_size=BATCH))

        def epochs(one: keras.Model, batches: ClipBatches, count: int) -> Callable[[], object]:
            return lambda: one.fit(batches, epochs=count, verbose=0, shuffle=False)

        runs = {"whole": epochs(whole, frames, 1), "part": epochs(suffix.model, features, turn)}
        time_in_turns(runs, 1)
        times = time_in_turns(runs, rounds)
    gain = compare_speed(times["part"], times["whole"])
    gain = Ratio(gain.wall * turn, gain.cpu * turn)
    frozen = f"last {stages} stages train" if stages else "frozen"
    name = f"{network}, {frozen}, {over_time}"
    yield CacheRow(f"{name}: epoch of the whole model", _time_seconds(times["whole"]), "s")
    yield CacheRow("  epoch after the prefix", _time_seconds(times["part"]) / turn, "s")
    yield _make_row("  speed-up", gain, "" if stages else f">= {WANTED_GAIN:.0f}")
    yield CacheRow("  trainable weights", suffix.model.count_params() / 1e6, "million")
    if not is_cached:
        kept = sum(path.stat().st_size for path in cache.folder.glob("*.npy"))
        yield CacheRow(f"  features of {len(store)} clips, once", compute_seconds, "s")
        yield CacheRow("  on disk, a clip", kept / len(store), "bytes")


def measure_inflation(network: str, rounds: int) -> Iterator[CacheRow]:
    """Yield rows of an inflated network against its original, on the same pixels."""
    keras.utils.clear_session()
    flat = NETWORKS[network](include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    inflated = inflate(flat, name=f"{network}_clips")
    rng = np.random.default_rng(0)
    pixels = rng.normal(0, 60, (STEP_CLIPS, FRAMES, SIDE, SIDE, 3)).astype(np.float32)
    runs: dict[str, dict[str, Callable[[], object]]] = {"forward": {}, "training step": {}}
    for name, body, x in (
        ("2-D", flat, pixels.reshape(-1, SIDE, SIDE, 3)),
        ("clips", inflated, pixels),
    ):
        image = keras.Input(x.shape[1:])
        pool = (
            keras.layers.GlobalAveragePooling3D()
            if x.ndim == 5
            else keras.layers.GlobalAveragePooling2D()
        )
        outputs = keras.layers.Dense(1, activation="sigmoid")(pool(body(image)))
        model = keras.Model(image, outputs)
        model.compile("sgd", "binary_crossentropy", jit_compile=False)
        labels = np.zeros((len(x), 1), np.float32)
        runs["forward"][name] = lambda model=model, x=x: model.predict_on_batch(x)
        runs["training step"][name] = lambda model=model, x=x, labels=labels: model.train_on_batch(
            x, labels
        )
    for what, both in runs.items():
        time_in_turns(both, 1)
        times = time_in_turns(both, rounds)
        # Duration of the inflated network relative to the 2-D one.
        ratio = compare_speed(times["2-D"], times["clips"])
        yield _make_row(f"{network} inflated / 2-D, {what}", ratio, f"<= {WANTED_RATIO}")


def _make_row(what: str, ratio: Ratio, wanted: str) -> CacheRow:
    met = None
    if wanted:
        sign, _, limit = wanted.partition(" ")
        met = ratio.wall >= float(limit) if sign == ">=" else ratio.wall <= float(limit)
    return CacheRow(what, ratio.wall, "times", ratio.cpu, wanted, met)


def _time_seconds(times: list[Time]) -> float:
    return statistics.median(one.wall for one in times)


def measure(clips: int, rounds: int, only: str) -> Iterator[CacheRow]:
    """Yield every row when it is measured."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        write_store(scratch / "noise.h5", make_noise_clips(clips), [], {"synthetic": True})
        with Store(scratch / "noise.h5") as store:
            for letter in sorted(set(only) & set(CASES)):
                for case in CASES[letter]:
                    yield from measure_training(store, case, scratch, rounds)
        if "d" in only:
            for network in NETWORKS:
                yield from measure_inflation(network, rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.feature_cache", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--clips", type=int, default=32, help="clips of the store, a quarter for validation"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only",
        default="abcd",
        metavar="LETTERS",
        help="a frozen ResNet50, b frozen VGG16, c half-frozen ResNet50, d inflated networks",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    where = f"{describe_machine()}, keras {keras.version()}, tensorflow {tf.__version__}"
    rows = measure(chosen.clips, chosen.rounds, chosen.only)
    if chosen.json:
        print(json.dumps({"machine": where, "rows": [vars(row) for row in rows]}, indent=1))
        return
    print(where)
    print(
        f"{chosen.clips} SYNTHETIC clips of noise, three of four for training, {FRAMES} frames of "
        f"{SIDE} px, batches of {BATCH}, random weights; medians of {chosen.rounds} rounds\n"
    )
    for row in rows:
        print(row, flush=True)


if __name__ == "__main__":
    main()
