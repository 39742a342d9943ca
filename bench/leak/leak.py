"""Effect of a leaking split on scores: ``python -m bench.leak``.

The same network is trained in the same way on equal numbers of clips, and scored on the same clips,
under two splits. *At random*: clips are drawn regardless of person and video, so other frames of
the test videos are in training. *People apart*: no test person is in training or validation. The
difference is the inflation by the first split.

In the first SYNTHETIC set all videos are real and half of them are labelled as fake at random.
Nothing in it generalises, so every AUC above 0.5 is inflated. In the second set, of the same
people, fakes carry a blending border. If ``DFSEARCH_REAL_DATA`` names a folder with
FaceForensics++, its videos are the third set.

Intervals are percentiles over draws of people and of trainings. Scores are kept by training in
``--keep``, and a restarted bench trains only missing ones.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from artifacts.metrics.ranking import Scores
from bench.accuracy.data import VARIABLE
from bench.accuracy.rows import KEY_FIELDS, ScoreFile
from bench.leak.clips import (
    APART,
    REAL_FAKES,
    SETS,
    WAYS,
    ClipSet,
    assign_splits,
    make_real_set,
    make_synthetic_set,
)
from bench.leak.table import SplitComparison, build_table, compare_splits, describe
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.cli.app import INTERRUPTED, USAGE
from search.cli.console import log, tables

NETWORK = {"backbones": ("small_cnn",), "frame_stride": 1}
TRAINING = {"epochs": 20, "batch_size": 16, "learning_rate": 1e-3, "schedule": "cosine"}
IDENTITIES, TESTED = 60, (0, 1)
QUICK = {"epochs": 3}
QUICK_IDENTITIES, QUICK_TESTED = 16, (0,)

Sides = npt.NDArray[np.str_]


def measure(
    clips: ClipSet,
    seeds: Sequence[int],
    training: dict[str, Any],
    kept: ScoreFile,
    train: Callable[[Store, int, dict[str, Any]], Scores],
) -> SplitComparison:
    """Train under both splits, except kept trainings, and compare.

    Args:
        clips: Clips to split.
        seeds: Seeds of the trainings and of the random split.
        training: Epochs, and arguments of :class:`spaces.training.space.TrainingChoices`.
        kept: Scores of earlier trainings.
        train: Function from a store with splits, a seed and the training to test scores.
    """
    found: dict[str, list[list[Scores]]] = {way: [] for way in WAYS}
    tested, folds, spent = [], [], []
    with Store(clips.path) as store:
        for fold in clips.tested:
            of_seeds = [assign_splits(store.groups, store.paths, fold, seed) for seed in seeds]
            rows = np.flatnonzero(of_seeds[0][APART] == "test")
            tested.append(rows)
            folds.append(np.full(len(rows), fold))
            for way in WAYS:
                entries = [
                    _read_or_train(clips, store, way, fold, seed, sides[way], training, kept, train)
                    for seed, sides in zip(seeds, of_seeds, strict=True)
                ]
                found[way].append([np.array(entry["scores"]) for entry in entries])
                spent += [entry["seconds"] for entry in entries]
        rows = np.concatenate(tested)
        scores = {
            way: np.stack([np.concatenate(parts) for parts in zip(*found[way], strict=True)])
            for way in WAYS
        }
        return compare_splits(
            clips.name, store, rows, np.concatenate(folds), scores, float(np.mean(spent))
        )


def _read_or_train(
    clips: ClipSet,
    store: Store,
    way: str,
    fold: int,
    seed: int,
    sides: Sides,
    training: dict[str, Any],
    kept: ScoreFile,
    train: Callable[[Store, int, dict[str, Any]], Scores],
) -> dict[str, Any]:
    """Return the scores of one training, kept or new."""
    name = f"{clips.name}, {way}, fold {fold}, seed {seed}"
    settings = json.dumps([NETWORK, training], sort_keys=True)
    digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
    known = dict(zip(KEY_FIELDS, (name, digest, store.fingerprint, store.fingerprint), strict=True))
    entry = kept.entries().get(tuple(known.values()))
    if entry is None:
        started = time.monotonic()
        store.splits = sides
        scores = train(store, seed, training).tolist()
        entry = known | {"seconds": round(time.monotonic() - started, 1), "scores": scores}
        kept.add(entry)
        log.print(f"{name}: {entry['seconds']} s", markup=False)
    return entry


def train_and_score(store: Store, seed: int, training: dict[str, Any]) -> Scores:
    """Return the test scores of a store, (n,), from one training on it."""
    from artifacts.quiet import import_tensorflow

    import_tensorflow()
    from artifacts.models.inference import score_clips
    from bench.shared.epochs import passes
    from search.detectors.space import build_detector
    from search.features.cache import FeatureCache
    from search.studies.hyperparameters import fixed_hyperparameters
    from search.training.fit import TrainingTask, fit
    from spaces.detector import detector_space
    from spaces.streams.spatial import SpatialBlock
    from spaces.streams.temporal import TemporalBlock
    from spaces.training.space import TrainingChoices

    graph = detector_space(
        store.clip_shape,
        streams=("spatial",),
        spatial=SpatialBlock(**NETWORK),
        temporal=TemporalBlock(kind="mean"),
    )
    model = build_detector(graph, fixed_hyperparameters({}), seed)
    settings = dict(training)
    epochs = settings.pop("epochs")
    with tempfile.TemporaryDirectory() as features:
        fit(
            model,
            TrainingTask(store, FeatureCache(Path(features)), seed),
            TrainingChoices(**passes(store, epochs), **settings),
        )
    return score_clips(model, store, store.rows("test"))


def _make_sets(keep: Path, chosen: argparse.Namespace) -> list[ClipSet]:
    """Return the requested sets that are available.

    Raises:
        UserError: A name is unknown.
    """
    names = [name for name in chosen.sets.split(",") if name]
    unknown = sorted(set(names) - set(SETS))
    if unknown:
        raise UserError(f"unknown set {', '.join(unknown)}: choose from {', '.join(SETS)}")
    people = (QUICK_IDENTITIES, QUICK_TESTED) if chosen.quick else (chosen.identities, TESTED)
    found = [make_synthetic_set(keep, name, *people) for name in names if name != REAL_FAKES]
    if REAL_FAKES in names and not chosen.quick:
        if os.environ.get(VARIABLE):
            found.append(make_real_set(keep))
        else:
            log.print(f"no real videos: {VARIABLE} is not set", markup=False)
    return found


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.leak", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="data and scores")
    parser.add_argument("--sets", default=",".join(SETS), help="names, comma-separated")
    parser.add_argument("--identities", type=int, default=IDENTITIES, help="synthetic people")
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the trainings, comma-separated")
    parser.add_argument("--quick", action="store_true", help="few people, one short training")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def main() -> None:
    """Train, compare and print."""
    chosen = _parse_arguments()
    try:
        seeds = [int(seed) for seed in chosen.seeds.split(",")]
    except ValueError:
        print(
            f"error: --seeds takes whole numbers such as 0,1,2, not {chosen.seeds}", file=sys.stderr
        )
        sys.exit(USAGE)
    training = TRAINING | (QUICK if chosen.quick else {})
    with tempfile.TemporaryDirectory() as temporary:
        keep = chosen.keep or Path(temporary)
        keep.mkdir(parents=True, exist_ok=True)
        kept = ScoreFile(keep / "leak.jsonl")
        try:
            results = [
                measure(
                    clips, seeds[: 1 if chosen.quick else None], training, kept, train_and_score
                )
                for clips in _make_sets(keep, chosen)
            ]
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(USAGE)
        except KeyboardInterrupt:
            print("stopped; to resume, repeat the command with --keep", file=sys.stderr)
            sys.exit(INTERRUPTED)
    if chosen.json:
        print(json.dumps([dataclasses.asdict(one) for one in results], indent=1))
        return
    console = tables()
    console.print(build_table(results))
    for one in results:
        console.print(describe(one), markup=False)
