"""Rows of ``bench.accuracy``: detectors, their training settings and their kept scores.

A row is one training in its own process. Its model is kept, and its scores of every test set are
kept as lines of ``scores.jsonl``; neither is computed twice.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.accuracy import data, people
from data_prep.store.store import Store
from search.config import run_config
from search.config.run_config import RunConfig

RECIPE, QUICK, STANDARD = "recipe", "quick", "standard"

SEARCHES: Mapping[str, Mapping[str, Any]] = {
    # Two trials of small stock networks on colour, nothing else tuned.
    RECIPE: {
        "preset": "quick",
        "space": {"streams": ["spatial"], "backbones": ["small_cnn", "small_resnet"]},
        "architecture": {"trials": 2, "samples": 8192, "batch_size": 32, "learning_rate": 1e-3},
        "gan": {"trials": 0},
        "training": {
            "trials": 0,
            "frames": 0,
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
"""Run settings of the searches."""

SPATIAL = "spatial"
SINGLE_STREAMS = (SPATIAL, "temporal", "micro_expression", "noise_residual")
"""Detectors of a single stream."""

GAN_FAKES, GAN_STREAM, NO_PSEUDO_FAKES = "gan_fakes", "gan", "no-pseudo-fakes"
VARIANTS = (NO_PSEUDO_FAKES, GAN_FAKES, GAN_STREAM)
"""Detectors that isolate one part: ``spatial`` without pseudo-fakes, ``spatial`` with GAN fakes as
an additional method, and the features of that GAN's discriminator alone."""

RGB, RGB_GREY = CHANNELS = ("rgb", "rgb-grey")
"""A small network on colour, and the same network on colour and grey, trained like the recipe."""

_SPATIAL = {"space": {"streams": [SPATIAL]}}
# A network trained from scratch bypasses the feature cache and tolerates a higher rate.
_FROM_SCRATCH = {"learning_rate": 1e-3}
_CHANNELS = {
    "space": {"streams": [SPATIAL], "backbones": ["small_cnn"]},
    "architecture": _FROM_SCRATCH,
    "training": SEARCHES[RECIPE]["training"],
    "objective": "auc",
}
SINGLE_TRAININGS: Mapping[str, Mapping[str, Any]] = {
    SPATIAL: _SPATIAL,
    # Recurrence needs whole clips, so the network stays frozen.
    "temporal": {
        "space": {"streams": [SPATIAL], "fine_tune": "never"},
        "training": {"frames": 0, "views": 4},
    },
    "micro_expression": {
        "space": {"streams": ["micro_expression"]},
        "architecture": _FROM_SCRATCH,
        "training": {"frames": 0, "views": 0},
    },
    "noise_residual": {
        "space": {"streams": ["noise_residual"]},
        "architecture": _FROM_SCRATCH,
        "training": {"views": 0},
    },
    NO_PSEUDO_FAKES: {**_SPATIAL, "training": {"pseudo_fakes": 0.0}, "objective": "auc"},
    GAN_FAKES: _SPATIAL,
    GAN_STREAM: {"training": {"frames": 0, "views": 4}},
    RGB: _CHANNELS,
    RGB_GREY: _CHANNELS,
}
"""Run settings of detectors that are trained once, with the defaults of their space."""

SAMPLES = 16384
"""Samples of a single training."""

WITHOUT_EXTRAS = (RECIPE, NO_PSEUDO_FAKES, *CHANNELS)
"""Detectors without pseudo-fakes: with reals of other data sets they would learn the data set."""

GAN: Mapping[str, Any] = {
    "kind": "convolutional",
    "pixel_norm": True,
    "generator_rate": 5e-4,
    "discriminator_rate": 5e-4,
    "steps": 2000,
}
"""GAN of a row, trained on the real faces of its training store."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One training.

    Attributes:
        detector: Key of :data:`SEARCHES` or :data:`SINGLE_TRAININGS`.
        seed: Random seed.
        held_out: Method that is tested and not trained on; empty for none.
        fold: Cross-validation fold that is tested; ``None`` for the official lists.
    """

    detector: str
    seed: int
    held_out: str = ""
    fold: int | None = None

    @property
    def name(self) -> str:
        """Short unique name."""
        without = f"-without-{self.held_out}" if self.held_out else ""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        return f"{self.detector}-{self.seed}{without}{fold}"

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of its run; a single training uses those of the architecture stage."""
        if self.detector in SEARCHES:
            return dict(SEARCHES[self.detector])
        settings = dict(SINGLE_TRAININGS[self.detector])
        return settings | {"architecture": {"samples": SAMPLES, **settings.get("architecture", {})}}

    def config(self, store: Path, run_dir: Path) -> RunConfig:
        """Return the run configuration: the settings and the defaults."""
        places = {"store": store, "run_dir": run_dir, "seed": self.seed}
        return run_config.resolve(self.settings | places)

    @property
    def has_gan(self) -> bool:
        """Whether a GAN is trained first."""
        return self.detector in (GAN_FAKES, GAN_STREAM)

    @property
    def settings_digest(self) -> str:
        """Digest of all settings that affect the result, defaults included."""
        config = self.config(Path("store.h5"), Path("run"))
        settings = run_config.decisive(config)
        if self.has_gan:
            settings |= {"gan of the row": dict(GAN)}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def extras(self) -> bool:
        """Whether reals of other data sets are added to the training store."""
        return self.detector not in WITHOUT_EXTRAS


def order_rows(
    seeds: Sequence[int],
    methods: Sequence[str],
    *,
    quick: bool = False,
) -> list[Row]:
    """Return all rows, the most informative for their time first.

    Args:
        seeds: Seeds of the trainings.
        methods: Methods to hold out, one row each.
        quick: Only the first seed of the recipe, the quick preset and the streams.
    """
    if quick:
        return [Row(name, seed) for seed in seeds[:1] for name in (QUICK, RECIPE, *SINGLE_STREAMS)]
    return [
        *(Row(name, seed) for seed in seeds for name in (RECIPE, QUICK, *SINGLE_STREAMS)),
        *(Row(STANDARD, seed) for seed in seeds[:1]),
        *(Row(name, seed) for seed in seeds for name in VARIANTS),
        *(Row(SPATIAL, seed, method) for seed in seeds for method in methods),
        *(Row(STANDARD, seed) for seed in seeds[1:]),
    ]


def fold_rows(seeds: Sequence[int], *, quick: bool = False) -> list[Row]:
    """Return the rows that test every person once, grouped by seed and detector.

    Args:
        seeds: Seeds of the trainings.
        quick: Only the first seed.
    """
    wanted = list(seeds)[:1] if quick else seeds
    return [
        Row(name, seed, fold=fold)
        for seed in wanted
        for name in (RECIPE, QUICK, *SINGLE_STREAMS, *VARIANTS)
        for fold in range(people.FOLDS)
    ]


KEY_FIELDS = ("row", "manner", "train", "test")
ScoreKey: TypeAlias = "tuple[str, ...]"
"""Name and settings digest of a row, fingerprints of its training store and its test store."""


@dataclasses.dataclass(frozen=True)
class ScoreFile:
    """Scores by row, settings, training store and test store.

    Attributes:
        path: File with one JSON entry a line; an incomplete line is skipped.
    """

    path: Path

    def entries(self) -> dict[ScoreKey, dict[str, Any]]:
        """Return every entry by its key."""
        found = {}
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        for line in lines:
            try:
                entry = json.loads(line)
                found[tuple(entry[name] for name in KEY_FIELDS)] = entry
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def add(self, entry: Mapping[str, Any]) -> None:
        """Append an entry, on a new line if the last line is incomplete."""
        cut_off = self.path.exists() and not self.path.read_text().endswith("\n")
        with self.path.open("a") as file:
            file.write("\n" * cut_off + json.dumps(entry) + "\n")


def make_training_store(keep: Path, row: Row) -> Path:
    """Return the training store of a row, made if missing."""
    if row.held_out:
        return data.make_held_out_stores(keep, row.held_out, extras=row.extras)[0]
    if row.fold is not None:
        return data.make_fold_stores(keep, row.fold, extras=row.extras)[0]
    return data.make_train_store(keep, extras=row.extras)


def make_score_key(keep: Path, row: Row, tested: str) -> ScoreKey:
    """Return the key of a row's scores.

    Args:
        keep: Folder of the stores.
        row: Row of the scores.
        tested: Fingerprint of the test store.
    """
    return row.name, row.settings_digest, read_fingerprint(make_training_store(keep, row)), tested


def find_missing_scores(
    keep: Path, row: Row, tested: Iterable[data.TestSet]
) -> list[tuple[Path, npt.NDArray[np.int64]]]:
    """Return the test stores that a row has not scored, each with its rows to score."""
    entries = ScoreFile(keep / "scores.jsonl").entries()
    found = []
    for one in tested:
        for path in (one.path, one.matched):
            if path is None:
                continue
            with Store(path) as store:
                if make_score_key(keep, row, store.fingerprint) not in entries:
                    found.append((path, people.select_test_rows(store)[0]))
    return found


def read_fingerprint(path: Path) -> str:
    """Return the content fingerprint of a store."""
    with Store(path) as store:
        return store.fingerprint
