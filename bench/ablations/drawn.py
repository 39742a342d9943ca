"""The SYNTHETIC half of ``bench.ablations``: what is left out, and its training.

The fakes of every drawn person are of four methods, one mark each: a blending border, jitter from
frame to frame, frozen expression, missing camera noise. Everything is trained with small networks
from scratch, in the same way but for the one thing that is compared.
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

from artifacts.evaluation.matching import ClipReader
from artifacts.metrics.ranking import source_places
from bench.accuracy.rows import GAN as GAN_SETTINGS
from bench.accuracy.rows import KEY, RECIPE, RGB, RGB_GREY, RUNS, Kept, Key
from bench.accuracy.table import Judged
from bench.accuracy.training import trained_pair
from bench.shared.synthetic_store import drawn_store
from data_prep.preparation.clip import Preparation
from data_prep.splits.dealing import shuffled
from data_prep.store.store import Store, write_store
from data_prep.synthetic.swap import CUES

VIDEO_SIDE, VIDEO_FRAMES = 96, 16
CLIPS = Preparation(frames=8, size=64)
EPOCHS, BATCH = 10, 8
TRAINING = {"batch_size": BATCH, "learning_rate": 1e-3, "schedule": "cosine"}
TEST_SHARE, VAL_SHARE = 3, 6
"""One in so many identity groups."""

PAIR: Mapping[str, Any] = {**GAN_SETTINGS, "steps": 400}
"""The GAN of drawn faces."""

SPATIAL, MICRO, NOISE, GAN = "spatial", "micro_expression", "noise_residual", "gan"
STREAMS = (SPATIAL, MICRO, NOISE)


@dataclasses.dataclass(frozen=True)
class Variant:
    """A detector, and how its training departs from that of the others.

    Attributes:
        streams: it has.
        temporal: kind of the stage over the frames of the spatial stream.
        channels: of :data:`channels.CHANNELS`, for the spatial stream alone; empty for colour.
        pseudo_fakes: share of the fakes.
        gan_fakes: whether fakes of a GAN are one method more.
        run: settings of a search in the place of all these.
    """

    streams: tuple[str, ...] = STREAMS
    temporal: str = "bilstm"
    channels: str = ""
    pseudo_fakes: float = 0.0
    gan_fakes: bool = False
    run: Mapping[str, Any] | None = None

    @property
    def has_gan(self) -> bool:
        """Whether a GAN is trained for it first."""
        return self.gan_fakes or GAN in self.streams


def _search(streams: Sequence[str], trials: int) -> dict[str, Any]:
    """The recipe's search, but for what it may build, how often it tries and how long it trains."""
    stage = {"trials": trials, "epochs": EPOCHS, "batch_size": BATCH}
    return {
        **RUNS[RECIPE],
        "space": {"streams": list(streams), "backbones": ["small_cnn", "small_resnet"]},
        "architecture": {**RUNS[RECIPE]["architecture"], **stage},
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
    RECIPE: Variant(run=RUNS[RECIPE]),
    TWO_TRIALS: Variant(run=_search((SPATIAL,), 2)),
    SEARCH: Variant(run=_search(STREAMS, SEARCH_TRIALS)),
}
"""What is trained, those that tell most for their time first."""
LONG = (RECIPE, TWO_TRIALS, SEARCH)


@dataclasses.dataclass(frozen=True)
class Row:
    """One training on drawn people.

    Attributes:
        variant: of :data:`VARIANTS`.
        seed: of everything random in it.
        epochs: of a training that is no search.
    """

    variant: str
    seed: int
    epochs: int = EPOCHS

    @property
    def name(self) -> str:
        """Short and unique."""
        return f"drawn/{self.variant}-{self.seed}"

    @property
    def manner(self) -> str:
        """Digest of what changes it."""
        variant = VARIANTS[self.variant]
        settings: list[Any] = [dataclasses.asdict(variant), TRAINING, self.epochs]
        settings += [dict(PAIR)] if variant.has_gan else []
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]

    def key(self, fingerprint: str) -> Key:
        """What its scores are kept by, given the fingerprint of the store."""
        return self.name, self.manner, fingerprint, fingerprint


def people_store(keep: Path, identities: int, seed: int = 0) -> Path:
    """A store of drawn people with a method a mark, a third of the groups tested."""
    path = keep / f"drawn-{identities}-{seed}-apart.h5"
    if path.exists():
        return path
    whole = drawn_store(
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
        sides = sides_of(store.groups.tolist())
        read = ClipReader(store)
        clips = (read(row) for row in range(len(store)))
        placed = (dataclasses.replace(clip, split=sides[clip.group]) for clip in clips)
        write_store(path, placed, [], store.preparation)
    return path


def sides_of(groups: Sequence[str]) -> dict[str, str]:
    """A split for every identity group: a third for the test, a sixth for validation."""
    order = sorted(set(groups), key=shuffled(0))
    test = len(order) // TEST_SHARE
    val = max(1, len(order) // VAL_SHARE)
    return {
        group: "test" if place < test else "val" if place < test + val else "train"
        for place, group in enumerate(order)
    }


def measure(keep: Path, path: Path, row: Row, kept: Kept) -> None:
    """Train a row, score the test clips and keep the scores."""
    started = time.monotonic()
    with Store(path) as store:
        variant = VARIANTS[row.variant]
        scores = _searched(keep, path, row) if variant.run else _trained(keep, store, row)
        known = dict(zip(KEY, row.key(store.fingerprint), strict=True))
    kept.add(known | {"seconds": round(time.monotonic() - started, 1), "scores": scores.tolist()})


def _trained(keep: Path, store: Store, row: Row) -> npt.NDArray[np.float64]:
    """Test scores of one training."""
    from artifacts.quiet import import_tensorflow

    import_tensorflow()
    from artifacts.models.inference import score_clips
    from bench.accuracy.channels import channels_space
    from search.detectors.space import build_detector
    from search.features.cache import FeatureCache
    from search.gan.latent_walks import generated_walks
    from search.samples.samples import Walks
    from search.studies.hyperparameters import fixed
    from search.training.fit import TrainingTask, fit
    from search.trials.trial import GAN_FILES
    from spaces.detector import detector_space
    from spaces.streams.gan import GanStreamBlock
    from spaces.streams.spatial import SpatialBlock
    from spaces.streams.temporal import TemporalBlock
    from spaces.training.space import TrainingChoices

    variant = VARIANTS[row.variant]
    pair = trained_pair(keep, store, row.seed, PAIR) if variant.has_gan else Path()
    generator, discriminator = (pair / name for name in GAN_FILES)
    walks = None
    if variant.gan_fakes:
        walks = Walks(generated_walks(generator, pair, frames=store.clip_shape[0]), pair.name)
    if variant.channels:
        graph = channels_space(store.clip_shape, variant.channels)
    else:
        graph = detector_space(
            store.clip_shape,
            streams=variant.streams,
            searched=False,
            spatial=SpatialBlock(frame_stride=1),
            temporal=TemporalBlock(kind=variant.temporal, recurrent_units=64),
            gan=GanStreamBlock(str(discriminator)) if GAN in variant.streams else None,
        )
    model = build_detector(graph, fixed({}), row.seed)
    choices = TrainingChoices(
        **TRAINING,
        epochs=row.epochs,
        pseudo_fakes=variant.pseudo_fakes,
        gan_fakes=variant.gan_fakes,
    )
    with tempfile.TemporaryDirectory() as features:
        fit(
            model, TrainingTask(store, FeatureCache(Path(features)), row.seed, walks=walks), choices
        )
    return score_clips(model, store, store.rows("test"))


def _searched(keep: Path, path: Path, row: Row) -> npt.NDArray[np.float64]:
    """Test scores of the winner of a search, as it is exported; one that was stopped goes on."""
    from search.cli.console import run_progress
    from search.config.run_config import resolve
    from search.run import run

    places = {"store": path, "run_dir": keep / "runs" / f"{row.variant}-{row.seed}-{row.manner}"}
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


def judged(path: Path, rows: Sequence[Row], entries: Mapping[Key, Mapping[str, Any]]) -> Judged:
    """The test clips with every score there is of them."""
    with Store(path) as store:
        tested = store.rows("test")
        trained: dict[str, dict[int, npt.NDArray[np.float64]]] = {}
        for row in rows:
            entry = entries.get(row.key(store.fingerprint))
            if entry:
                trained.setdefault(row.variant, {})[row.seed] = np.array(entry["scores"])
        return Judged(
            "drawn people",
            store.labels[tested],
            store.groups[tested],
            source_places(store.keys[tested], store.crop_sources[tested]),
            store.methods[tested],
            np.zeros(len(tested), np.int64),
            store.paths[tested],
            {},
            trained,
            store.is_synthetic,
        )
