"""Effect of mixed precision and XLA on a training step: ``python -m bench.training_speed``.

Steps of whole detectors on SYNTHETIC noise, whose content does not affect their time; all ways of
training take turns. The first step is traced and, with XLA, compiled; every trial pays for it.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import statistics
import time
from collections.abc import Iterator

import numpy as np
from rich.table import Table

from artifacts.quiet import import_tensorflow
from bench.shared.timing import describe_machine

import_tensorflow()

import keras  # noqa: E402

from data_prep.errors import UserError  # noqa: E402
from search.cli.console import log, tables  # noqa: E402
from search.detectors.precision import Precision, mixed_policy  # noqa: E402
from search.detectors.space import build_detector  # noqa: E402
from search.studies.hyperparameters import fixed_hyperparameters  # noqa: E402
from spaces.detector import detector_space  # noqa: E402
from spaces.streams.names import STREAMS  # noqa: E402
from spaces.streams.spatial import SpatialBlock  # noqa: E402
from spaces.streams.temporal import TemporalBlock  # noqa: E402
from spaces.training.space import TrainingChoices, compile_detector  # noqa: E402

CLIP = (8, 96, 96, 4)
BATCH = 8
DETECTORS = {
    "spatial small_cnn, mean": ("small_cnn", "mean"),
    "spatial small_cnn, BiLSTM": ("small_cnn", "bilstm"),
    "micro-expression STSTNet": ("micro_expression", ""),
    "noise residual SRM-3": ("noise_residual", ""),
    "spatial MobileNetV2 from scratch, mean": ("mobilenet_v2", "mean"),
}
WAYS: dict[str, tuple[Precision, bool]] = {
    "float32": ("float32", False),
    "mixed": ("mixed", False),
    "float32, XLA": ("float32", True),
    "mixed, XLA": ("mixed", True),
}


@dataclasses.dataclass(frozen=True)
class StepTiming:
    """One detector with one way of training.

    Attributes:
        detector, way: Keys of :data:`DETECTORS` and :data:`WAYS`.
        first: Seconds of the first step, compilation included.
        step: Median seconds of later steps.
        error: Reason of a failure; empty otherwise.
    """

    detector: str
    way: str
    first: float = float("nan")
    step: float = float("nan")
    error: str = ""


def measure(rounds: int) -> Iterator[StepTiming]:
    """Yield a row for each detector and way of training."""
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, (BATCH, *CLIP), np.uint8)
    labels = np.arange(BATCH, dtype=np.float32)[:, None] % 2
    with contextlib.suppress(UserError):
        log.print(f"mixed precision on this machine: {mixed_policy()}")
    for detector, (network, temporal) in DETECTORS.items():
        models, first = {}, {}
        for way, (precision, compiled) in WAYS.items():
            try:
                model = _build_model(network, temporal, precision, compiled)
                began = time.perf_counter()
                model.train_on_batch(clips, labels)
            except Exception as error:
                yield StepTiming(detector, way, error=str(error).strip().splitlines()[0])
                continue
            first[way] = time.perf_counter() - began
            log.print(f"{detector}, {way}: first step {first[way]:.1f} s")
            models[way] = model
        steps: dict[str, list[float]] = {way: [] for way in models}
        for _ in range(rounds):
            for way, model in models.items():
                began = time.perf_counter()
                model.train_on_batch(clips, labels)
                steps[way].append(time.perf_counter() - began)
        for way in models:
            yield StepTiming(detector, way, first[way], statistics.median(steps[way]))


def _build_model(network: str, temporal: str, precision: Precision, compiled: bool) -> keras.Model:
    if network in STREAMS:
        graph = detector_space(CLIP, streams=(network,))
    else:
        graph = detector_space(
            CLIP,
            streams=("spatial",),
            spatial=SpatialBlock(backbones=(network,), weights="none", frame_stride=1),
            temporal=TemporalBlock(kind=temporal),
        )
    model = build_detector(graph, fixed_hyperparameters({}), 0, precision)
    compile_detector(model, TrainingChoices(jit_compile=compiled))
    return model


def build_table(rows: list[StepTiming]) -> Table:
    """Return a table with a row a detector and a column a way of training."""
    shown = Table(
        title=f"a training step of {BATCH} clips {' x '.join(map(str, CLIP))}: milliseconds "
        "(speed relative to float32); seconds of the first step"
    )
    shown.add_column("detector")
    for way in WAYS:
        shown.add_column(way, justify="right")
    for detector in DETECTORS:
        ours = {row.way: row for row in rows if row.detector == detector}
        base = ours["float32"].step
        shown.add_row(
            detector,
            *(
                row.error[:40] or f"{1000 * row.step:.0f} ({base / row.step:.2f}); {row.first:.1f}"
                for row in (ours[way] for way in WAYS)
            ),
        )
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.training_speed", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    rows = list(measure(chosen.rounds))
    if chosen.json:
        print(
            json.dumps(
                {"machine": describe_machine(), "rows": [vars(row) for row in rows]}, indent=1
            )
        )
    else:
        tables().print(build_table(rows))
        print(describe_machine())


if __name__ == "__main__":
    main()
