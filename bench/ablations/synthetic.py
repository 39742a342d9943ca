"""The synthetic half of ``bench.ablations``: variants of a detector and their training.

Every synthetic person has fakes of four methods with one mark each: a blending border, jitter from
frame to frame, frozen expression, missing camera noise. All variants train small networks from
scratch and differ in one part.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from artifacts.metrics.ranking import find_originals
from bench.accuracy.rows import GAN as GAN_SETTINGS
from bench.accuracy.rows import KEY_FIELDS, RECIPE, RGB, RGB_GREY, SEARCHES, ScoreFile, ScoreKey
from bench.accuracy.table import ScoredClips
from bench.accuracy.training import train_gan
from bench.shared.epochs import passes
from bench.shared.synthetic_store import make_synthetic_store
from data_prep.preparation.clip import Preparation
from data_prep.splits.dealing import make_shuffle_key
from data_prep.store.clip_reader import ClipReader
from data_prep.store.store import Store, write_store
from data_prep.synthetic.swap import CUES

VIDEO_SIDE, VIDEO_FRAMES = 96, 16
CLIPS = Preparation(frames=8, size=64)
EPOCHS, BATCH = 10, 8
# Those of about ten epochs.
SAMPLES = 2048
TRAINING = {"batch_size": BATCH, "learning_rate": 1e-3, "schedule": "cosine"}
TEST_SHARE, VAL_SHARE = 3, 6
"""One identity group in three is for testing, one in six for validation."""

PAIR: Mapping[str, Any] = {**GAN_SETTINGS, "steps": 400}
"""GAN of synthetic faces."""

SPATIAL, MICRO, NOISE, GAN = "spatial", "micro_expression", "noise_residual", "gan"
STREAMS = (SPATIAL, MICRO, NOISE)


@dataclasses.dataclass(frozen=True)
class Variant:
    """A detector and its training settings.

    Attributes:
        streams: Names of the streams.
        temporal: Kind of temporal stage of the spatial stream.
        channels: Key of :data:`bench.accuracy.channels.CHANNEL_INDICES`, for the spatial stream
            alone; empty for colour.
        pseudo_fakes: Share of pseudo-fakes among the fakes.
        gan_fakes: Whether GAN fakes are an additional method.
        run: Settings of a search that replace all others.
    """

    streams: tuple[str, ...] = STREAMS
    temporal: str = "bilstm"
    channels: str = ""
    pseudo_fakes: float = 0.0
    gan_fakes: bool = False
    run: Mapping[str, Any] | None = None

    @property
    def has_gan(self) -> bool:
        """Whether a GAN is trained first."""
        return self.gan_fakes or GAN in self.streams


def _search_settings(streams: Sequence[str], trials: int) -> dict[str, Any]:
    """Return the recipe's search with these streams, number of trials and our epochs."""
    stage = {"trials": trials, "samples": SAMPLES, "batch_size": BATCH}
    return {
        **SEARCHES[RECIPE],
        "space": {"streams": list(streams), "backbones": ["small_cnn", "small_resnet"]},
        "architecture": {**SEARCHES[RECIPE]["architecture"], **stage},
    }


SEARCH_TRIALS = 6
ALL, TWO_TRIALS, SEARCH = "all", "two-trials", "search"
VARIANTS: Mapping[str, Variant] = {
    RGB: Variant((SPATIAL,), "mean", RGB),
    RGB_GREY: Variant((SPATIAL,), "mean", RGB_GREY),
    ALL: Variant(),
    f"no-{SPATIAL}": Variant((MICRO, NOISE)),
    "no-recurrence": Variant(temporal="mean"),
    f"no-{MICRO}": Variant((SPATIAL, NOISE)),
    f"no-{NOISE}": Variant((SPATIAL, MICRO)),
    "pseudo-fakes": Variant(pseudo_fakes=0.5),
    "gan-fakes": Variant(gan_fakes=True),
    "gan-stream": Variant((*STREAMS, GAN)),
    RECIPE: Variant(run=SEARCHES[RECIPE]),
    TWO_TRIALS: Variant(run=_search_settings((SPATIAL,), 2)),
    SEARCH: Variant(run=_search_settings(STREAMS, SEARCH_TRIALS)),
}
"""Detectors, the most informative for their time first."""
SEARCH_VARIANTS = (RECIPE, TWO_TRIALS, SEARCH)


@dataclasses.dataclass(frozen=True)
class Row:
    """One training on synthetic people.

    Attributes:
        variant: Key of :data:`VARIANTS`.
        seed: Random seed.
        epochs: Epochs, unless the variant is a search.
    """

    variant: str
    seed: int
    epochs: int = EPOCHS

    @property
    def name(self) -> str:
        """Short unique name."""
        return f"drawn/{self.variant}-{self.seed}"

    @property
    def settings_digest(self) -> str:
        """Digest of the settings that affect the result."""
        variant = VARIANTS[self.variant]
        settings: list[Any] = [dataclasses.asdict(variant), TRAINING, self.epochs]
        settings += [dict(PAIR)] if variant.has_gan else []
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]

    def key(self, fingerprint: str) -> ScoreKey:
        """Return the key of its scores, given the fingerprint of the store."""
        return self.name, self.settings_digest, fingerprint, fingerprint


def make_store(keep: Path, identities: int, seed: int = 0) -> Path:
    """Return a store of synthetic people with one method a mark, made if missing."""
    path = keep / f"drawn-{identities}-{seed}-apart.h5"
    if path.exists():
        return path
    whole = make_synthetic_store(
        keep / f"drawn-{identities}-{seed}.h5",
        CLIPS,
        identities=identities,
        size=VIDEO_SIDE,
        frames=VIDEO_FRAMES,
        seed=seed,
        cues=CUES,
        per_cue=True,
    )
    with Store(whole) as store:
        sides = assign_splits(store.groups.tolist())
        read = ClipReader(store)
        clips = (read(row) for row in range(len(store)))
        placed = (dataclasses.replace(clip, split=sides[clip.group]) for clip in clips)
        write_store(path, placed, [], store.preparation)
    return path


def assign_splits(groups: Sequence[str]) -> dict[str, str]:
    """Return a split for every identity group: a third for test, a sixth for val."""
    order = sorted(set(groups), key=make_shuffle_key(0))
    test = len(order) // TEST_SHARE
    val = max(1, len(order) // VAL_SHARE)
    return {
        group: "test" if place < test else "val" if place < test + val else "train"
        for place, group in enumerate(order)
    }


def train_and_score(keep: Path, path: Path, row: Row, kept: ScoreFile) -> None:
    """Train a row, score the test clips and keep the scores."""
    started = time.monotonic()
    with Store(path) as store:
        variant = VARIANTS[row.variant]
        scores = _search(keep, path, row) if variant.run else _train(keep, store, row)
        known = dict(zip(KEY_FIELDS, row.key(store.fingerprint), strict=True))
    kept.add(known | {"seconds": round(time.monotonic() - started, 1), "scores": scores.tolist()})


def _train(keep: Path, store: Store, row: Row) -> npt.NDArray[np.float64]:
    """Return the test scores of one training."""
    from artifacts.quiet import import_tensorflow

    import_tensorflow()
    from artifacts.models.inference import score_clips
    from bench.accuracy.channels import build_channels_space
    from search.detectors.space import build_detector
    from search.features.cache import FeatureCache
    from search.gan.latent_walks import generated_walks
    from search.samples.samples import Walks
    from search.studies.hyperparameters import fixed_hyperparameters
    from search.training.fit import TrainingTask, fit
    from search.trials.trial import GAN_FILES
    from spaces.detector import detector_space
    from spaces.streams.gan import GanStreamBlock
    from spaces.streams.spatial import SpatialBlock
    from spaces.streams.temporal import TemporalBlock
    from spaces.training.space import TrainingChoices

    variant = VARIANTS[row.variant]
    pair = train_gan(keep, store, row.seed, PAIR) if variant.has_gan else Path()
    generator, discriminator = (pair / name for name in GAN_FILES)
    walks = None
    if variant.gan_fakes:
        walks = Walks(generated_walks(generator, pair, frames=store.clip_shape[0]), pair.name)
    if variant.channels:
        graph = build_channels_space(store.clip_shape, variant.channels)
    else:
        graph = detector_space(
            store.clip_shape,
            streams=variant.streams,
            searched=False,
            spatial=SpatialBlock(frame_stride=1),
            temporal=TemporalBlock(kind=variant.temporal, recurrent_units=64),
            gan=GanStreamBlock(str(discriminator)) if GAN in variant.streams else None,
        )
    model = build_detector(graph, fixed_hyperparameters({}), row.seed)
    choices = TrainingChoices(
        **TRAINING,
        **passes(store, row.epochs, variant.pseudo_fakes),
        pseudo_fakes=variant.pseudo_fakes,
        gan_fakes=variant.gan_fakes,
    )
    with tempfile.TemporaryDirectory() as features:
        fit(
            model, TrainingTask(store, FeatureCache(Path(features)), row.seed, walks=walks), choices
        )
    return score_clips(model, store, store.rows("test"))


def _search(keep: Path, path: Path, row: Row) -> npt.NDArray[np.float64]:
    """Run or resume a search and return the test scores of its exported winner."""
    from search.cli.console import run_progress
    from search.config.run_config import resolve
    from search.run import run

    places = {
        "store": path,
        "run_dir": keep / "runs" / f"{row.variant}-{row.seed}-{row.settings_digest}",
    }
    with run_progress() as progress:
        directory = run(
            resolve({**(VARIANTS[row.variant].run or {}), **places, "seed": row.seed}), progress
        )
    from artifacts.quiet import import_tensorflow

    import_tensorflow()
    import keras

    from artifacts.models.inference import score_clips

    model = keras.models.load_model(directory.h5, compile=False)
    with Store(path) as store:
        return score_clips(model, store, store.rows("test"))


def read_scored_clips(
    path: Path, rows: Sequence[Row], entries: Mapping[ScoreKey, Mapping[str, Any]]
) -> ScoredClips:
    """Return the test clips with all their scores."""
    with Store(path) as store:
        tested = store.rows("test")
        trained: dict[str, dict[int, npt.NDArray[np.float64]]] = {}
        for row in rows:
            entry = entries.get(row.key(store.fingerprint))
            if entry:
                trained.setdefault(row.variant, {})[row.seed] = np.array(entry["scores"])
        return ScoredClips(
            "synthetic people",
            store.labels[tested],
            store.groups[tested],
            find_originals(store.keys[tested], store.crop_sources[tested]),
            store.methods[tested],
            np.zeros(len(tested), np.int64),
            store.paths[tested],
            {},
            trained,
            store.is_synthetic,
        )
