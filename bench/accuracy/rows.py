"""The rows of ``bench.accuracy``: which detectors are trained, how, and what they score.

A row is one training, in a process of its own. Its model stays, and so do its scores of every test
set, a line each in ``scores.jsonl``; what is there is not made again.
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
from search.config import run_config as configuration
from search.config.run_config import RunConfig

RECIPE, QUICK, STANDARD = "recipe", "quick", "standard"

RUNS: Mapping[str, Mapping[str, Any]] = {
    # Two trials of small stock networks on colour, four epochs each, nothing else tuned.
    RECIPE: {
        "preset": "quick",
        "space": {"streams": ["spatial"], "backbones": ["small_cnn", "small_resnet"]},
        "architecture": {"trials": 2, "epochs": 4, "batch_size": 32, "learning_rate": 1e-3},
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
"""Searches, by the settings of their run."""

SPATIAL = "spatial"
ALONE = (SPATIAL, "temporal", "micro_expression", "noise_residual")
"""Streams by themselves."""

GAN_FAKES, GAN_STREAM, NO_PSEUDO_FAKES = "gan_fakes", "gan", "no-pseudo-fakes"
PARTS = (NO_PSEUDO_FAKES, GAN_FAKES, GAN_STREAM)
"""What else there is to know the worth of: ``spatial`` without pseudo-fakes, ``spatial`` with fakes
of a GAN as one method more, and the features of that GAN's discriminator by themselves."""

RGB, RGB_GREY = CHANNELS = ("rgb", "rgb-grey")
"""A small network on colour, and the same on colour and grey, trained as the recipe trains."""

_SPATIAL = {"space": {"streams": [SPATIAL]}}
# What trains from nothing is not kept in the feature cache, and learns faster.
_FROM_NOTHING = {"learning_rate": 1e-3}
_CHANNELS = {
    "space": {"streams": [SPATIAL], "backbones": ["small_cnn"]},
    "architecture": _FROM_NOTHING,
    "training": RUNS[RECIPE]["training"],
    "objective": "auc",
}
ONE_TRAINING: Mapping[str, Mapping[str, Any]] = {
    SPATIAL: _SPATIAL,
    # Recurrence needs whole clips, for which the network is left as it is.
    "temporal": {
        "space": {"streams": [SPATIAL], "fine_tune": "never"},
        "training": {"frames": 0, "views": 4},
    },
    "micro_expression": {
        "space": {"streams": ["micro_expression"]},
        "architecture": _FROM_NOTHING,
        "training": {"frames": 0, "views": 0},
    },
    "noise_residual": {
        "space": {"streams": ["noise_residual"]},
        "architecture": _FROM_NOTHING,
        "training": {"views": 0},
    },
    NO_PSEUDO_FAKES: {**_SPATIAL, "training": {"pseudo_fakes": 0.0}, "objective": "auc"},
    GAN_FAKES: _SPATIAL,
    GAN_STREAM: {"training": {"frames": 0, "views": 4}},
    RGB: _CHANNELS,
    RGB_GREY: _CHANNELS,
}
"""Trained once, with the defaults of their space, as the architecture stage of a run with these
settings trains."""

EPOCHS = 14
"""Of one training."""

WITHOUT_EXTRAS = (RECIPE, NO_PSEUDO_FAKES, *CHANNELS)
"""Detectors that make no pseudo-fakes: of other sets' reals they would learn which set it is."""

GAN: Mapping[str, Any] = {
    "kind": "convolutional",
    "pixel_norm": True,
    "generator_rate": 5e-4,
    "discriminator_rate": 5e-4,
    "steps": 2000,
}
"""The GAN of a row, on the real faces it is trained on."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One training.

    Attributes:
        detector: of :data:`RUNS`, :data:`ALONE`, :data:`PARTS` or :data:`CHANNELS`.
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
    def settings(self) -> dict[str, Any]:
        """Of its run, or of a run whose architecture stage trains as it is trained."""
        if self.detector in RUNS:
            return dict(RUNS[self.detector])
        settings = dict(ONE_TRAINING[self.detector])
        return settings | {"architecture": {"epochs": EPOCHS, **settings.get("architecture", {})}}

    def config(self, store: Path, run_dir: Path) -> RunConfig:
        """Its settings, and the defaults they leave open."""
        places = {"store": store, "run_dir": run_dir, "seed": self.seed}
        return configuration.resolve(self.settings | places)

    @property
    def has_gan(self) -> bool:
        """Whether a GAN is trained for it first."""
        return self.detector in (GAN_FAKES, GAN_STREAM)

    @property
    def manner(self) -> str:
        """Digest of the settings that change it, the defaults they leave open among them."""
        config = self.config(Path("store.h5"), Path("run"))
        settings = configuration.decisive(config)
        if self.has_gan:
            settings |= {"gan of the row": dict(GAN)}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def extras(self) -> bool:
        """Whether it is trained with the reals of other sets."""
        return self.detector not in WITHOUT_EXTRAS


def in_order(
    seeds: Sequence[int],
    methods: Sequence[str],
    *,
    quick: bool = False,
) -> list[Row]:
    """All rows, those that tell most for their time first.

    Args:
        seeds: of the trainings.
        methods: to be held out, each in turn.
        quick: the first seed alone, of the recipe, the quick preset and the streams.
    """
    if quick:
        return [Row(name, seed) for seed in seeds[:1] for name in (QUICK, RECIPE, *ALONE)]
    return [
        *(Row(name, seed) for seed in seeds for name in (RECIPE, QUICK, *ALONE)),
        *(Row(STANDARD, seed) for seed in seeds[:1]),
        *(Row(name, seed) for seed in seeds for name in PARTS),
        *(Row(SPATIAL, seed, method) for seed in seeds for method in methods),
        *(Row(STANDARD, seed) for seed in seeds[1:]),
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
        for name in (RECIPE, QUICK, *ALONE, *PARTS)
        for fold in range(people.FOLDS)
    ]


KEY = ("row", "manner", "train", "test")
Key: TypeAlias = "tuple[str, ...]"
"""Name of a row, digest of its settings, fingerprints of the stores it is trained and tested on."""


@dataclasses.dataclass(frozen=True)
class Kept:
    """Scores by row, by how and on which store it was trained, and by the store they are of.

    Attributes:
        path: of the file, a line an entry; a line that was cut off is not read.
    """

    path: Path

    def entries(self) -> dict[Key, dict[str, Any]]:
        """Every entry by what it is of."""
        found = {}
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        for line in lines:
            try:
                entry = json.loads(line)
                found[tuple(entry[name] for name in KEY)] = entry
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


def key(keep: Path, row: Row, tested: str) -> Key:
    """What scores of a row are kept by.

    Args:
        keep: folder of the stores.
        row: which.
        tested: fingerprint of the store they are of.
    """
    return row.name, row.manner, fingerprint(training_store(keep, row)), tested


def lacking(
    keep: Path, row: Row, tested: Iterable[data.TestSet]
) -> list[tuple[Path, npt.NDArray[np.int64]]]:
    """The stores a row has no scores of yet, plain and matched, and the rows of them to score."""
    entries = Kept(keep / "scores.jsonl").entries()
    found = []
    for one in tested:
        for path in (one.path, one.matched):
            if path is None:
                continue
            with Store(path) as store:
                if key(keep, row, store.fingerprint) not in entries:
                    found.append((path, people.tested_rows(store)[0]))
    return found


def fingerprint(path: Path) -> str:
    """Of a store's content."""
    with Store(path) as store:
        return store.fingerprint
