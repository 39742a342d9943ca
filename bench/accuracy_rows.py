"""The rows of ``bench/accuracy.py``: which detectors are trained, how, and what they score.

A row is one training, in a process of its own. Its model stays, and so do its scores of every test
set, a line each in ``scores.jsonl``; what is there is not made again.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import accuracy_data as data
import accuracy_people as people
import numpy as np
import numpy.typing as npt

from artifacts.run_directory import RunDirectory
from data_prep.store import Store

RECIPE, QUICK, STANDARD = "recipe", "quick", "standard"

RUNS: Mapping[str, Mapping[str, Any]] = {
    # Two trials of small stock networks on colour, four epochs each, nothing else tuned.
    RECIPE: {
        "preset": "quick",
        "space": {"streams": ["spatial"], "backbones": ["small_cnn", "small_resnet"]},
        "architecture": {"trials": 2, "epochs": 4, "batch_size": 32},
        "gan": {"trials": 0},
        "training": {
            "trials": 0,
            "pseudo_fakes": 0.0,
            "augmentation": "none",
            "loss": "binary_crossentropy",
            "mixup": False,
            "weight_averaging": False,
        },
        "objective": "auc",
    },
    QUICK: {"preset": "quick"},
    STANDARD: {"preset": "standard"},
}
"""Searches, by the settings of their run."""

ALONE = ("spatial", "temporal", "micro_expression", "noise_residual")
"""Streams by themselves: ``temporal`` is ``spatial`` with recurrence in place of the mean."""

WITHOUT_EXTRAS = (RECIPE,)
"""Detectors that make no pseudo-fakes: of other sets' reals they would learn which set it is."""

# How a stream alone is trained; the rest is as in the recipe.
EPOCHS, BATCH, SHARE = 15, 8, 0.5


@dataclasses.dataclass(frozen=True)
class Row:
    """One training.

    Attributes:
        detector: of :data:`RUNS` or :data:`ALONE`.
        seed: of everything random in it.
        held_out: the method it is trained without and tested on; empty for none.
        fold: of the people it is tested on, where all take their turn; None for official lists.
    """

    detector: str
    seed: int
    held_out: str = ""
    fold: int | None = None

    @property
    def name(self) -> str:
        """Short and unique."""
        without = f"-without-{self.held_out}" if self.held_out else ""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        return f"{self.detector}-{self.seed}{without}{fold}"

    @property
    def extras(self) -> bool:
        """Whether it is trained with the reals of other sets."""
        return self.detector not in WITHOUT_EXTRAS


def in_order(seeds: Sequence[int], methods: Sequence[str], *, quick: bool = False) -> list[Row]:
    """All rows, those that tell most for their time first.

    Args:
        seeds: of the trainings.
        methods: to be held out, each in turn.
        quick: the first seed alone, of the recipe, the quick preset and the streams.
    """
    first, rest = list(seeds)[:1], list(seeds)[1:]
    if quick:
        return [Row(name, seed) for seed in first for name in (QUICK, RECIPE, *ALONE)]
    held_out = [[Row(QUICK, seed, method) for method in methods] for seed in seeds]
    return [
        *(Row(name, seed) for seed in first for name in (QUICK, RECIPE)),
        *(Row(name, seed) for seed in rest for name in (QUICK, RECIPE)),
        *(Row(name, seed) for seed in seeds for name in ALONE),
        *held_out[0],
        *(Row(STANDARD, seed) for seed in first),
        *(row for rows in held_out[1:] for row in rows),
        *(Row(STANDARD, seed) for seed in rest),
    ]


def in_folds(seeds: Sequence[int], *, quick: bool = False) -> list[Row]:
    """The rows in which everyone is tested once, a detector and seed after the other.

    Args:
        seeds: of the trainings.
        quick: the first seed alone.
    """
    wanted = list(seeds)[:1] if quick else seeds
    return [
        Row(name, seed, fold=fold)
        for seed in wanted
        for name in (RECIPE, QUICK, *ALONE)
        for fold in range(people.FOLDS)
    ]


@dataclasses.dataclass(frozen=True)
class Kept:
    """Scores by row, by the store it was trained on and by the store they are of.

    Attributes:
        path: of the file, a line an entry; a line that was cut off is not read.
    """

    path: Path

    def entries(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """Every entry by (row, fingerprint of the training store, of the test store)."""
        found = {}
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        for line in lines:
            try:
                entry = json.loads(line)
                found[entry["row"], entry["train"], entry["test"]] = entry
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def add(self, entry: Mapping[str, Any]) -> None:
        """Append a line; one that was cut off before it is closed first."""
        cut_off = self.path.exists() and not self.path.read_text().endswith("\n")
        with self.path.open("a") as file:
            file.write("\n" * cut_off + json.dumps(entry) + "\n")


def training_store(keep: Path, row: Row) -> Path:
    """What a row is trained on."""
    if row.held_out:
        return data.held_out_stores(keep, row.held_out, extras=row.extras)[0]
    if row.fold is not None:
        return data.fold_stores(keep, row.fold, extras=row.extras)[0]
    return data.train_store(keep, extras=row.extras)


def lacking(
    keep: Path, row: Row, tested: Iterable[data.TestSet]
) -> list[tuple[Path, npt.NDArray[np.int64]]]:
    """The stores a row has no scores of yet, plain and matched, and the rows of them to score."""
    entries = Kept(keep / "scores.jsonl").entries()
    train = fingerprint(training_store(keep, row))
    found = []
    for one in tested:
        for path in (one.path, one.matched):
            if path is None:
                continue
            with Store(path) as store:
                if (row.name, train, store.fingerprint) not in entries:
                    found.append((path, people.tested_rows(store)[0]))
    return found


def fingerprint(path: Path) -> str:
    """Of a store's content."""
    with Store(path) as store:
        return store.fingerprint


def measure(keep: Path, row: Row, tested: Sequence[data.TestSet], weights: str) -> None:
    """Train a row where it is not trained, and score what it lacks; for a process of its own.

    Args:
        keep: folder for models and scores.
        row: which.
        tested: test sets.
        weights: of pretrained networks in the presets; ``hed`` makes VGG16 the only one.
    """
    wanted = lacking(keep, row, tested)
    if not wanted:
        return
    train = training_store(keep, row)
    mark = fingerprint(train)
    folder = RunDirectory(keep / "rows" / f"{row.name}-{mark[:8]}")
    started = time.monotonic()
    _train(row, train, folder, weights)
    seconds = time.monotonic() - started

    from artifacts.quiet import import_tensorflow

    import_tensorflow()
    import keras

    from artifacts.scoring import score_clips

    model = keras.models.load_model(folder.h5, compile=False)
    for path, rows in wanted:
        with Store(path) as store:
            scores = [float(score) for score in score_clips(model, store, rows)]
            entry = {"row": row.name, "train": mark, "test": store.fingerprint}
        Kept(keep / "scores.jsonl").add(entry | {"seconds": round(seconds), "scores": scores})


def _train(row: Row, train: Path, folder: RunDirectory, weights: str) -> None:
    """Leave ``best_model.h5`` in the folder; what is trained is not trained again."""
    if row.detector in RUNS:
        _search(row, train, folder, weights)
    elif not folder.h5.is_file():
        folder.root.mkdir(parents=True, exist_ok=True)
        _alone(row, train, folder)


def _search(row: Row, train: Path, folder: RunDirectory, weights: str) -> None:
    from search import config as configuration
    from search.console import run_progress
    from search.run import run

    settings = dict(RUNS[row.detector])
    if row.detector == STANDARD:
        networks = (
            ["small_cnn", "vgg16"] if weights == "hed" else ["small_cnn", "resnet50", "vgg16"]
        )
        settings["space"] = {"weights": weights, "backbones": networks}
    places = {"store": train, "run_dir": folder.root, "seed": row.seed}
    with run_progress() as progress:
        run(configuration.resolve(settings | places), progress)


def _alone(row: Row, train: Path, folder: RunDirectory) -> None:
    """One training of one stream with the defaults of its space."""
    from artifacts.quiet import import_tensorflow

    import_tensorflow()
    from artifacts.export import plain_copy, save_model
    from search import detectors
    from search.fit import fit
    from search.hyperparameters import fixed
    from search.objectives import GENERALISATION
    from spaces.detector import detector_space
    from spaces.spatial import SpatialBlock
    from spaces.temporal import TemporalBlock
    from spaces.training import TrainingChoices

    stream = "spatial" if row.detector == "temporal" else row.detector
    choices = TrainingChoices(
        batch_size=BATCH, epochs=EPOCHS, schedule="cosine", augmentation="light", views=0
    )
    with Store(train) as store, tempfile.TemporaryDirectory() as features:
        graph = detector_space(
            store.clip_shape,
            streams=(stream,),
            spatial=SpatialBlock(backbones=("small_cnn",), frame_stride=1),
            temporal=TemporalBlock(kind="mean" if row.detector == "spatial" else "bilstm"),
        )
        model = detectors.build(graph, fixed({}), row.seed)
        fit(
            model,
            store,
            choices,
            seed=row.seed,
            features=Path(features),
            objective=GENERALISATION,
        )
    save_model(plain_copy(model), folder)
