"""The detector space of a run, built from its configuration and store."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import keras_tuner

from artifacts.run_directory import RunDirectory
from data_prep.store.store import Store
from search.config.feasible import possible_streams, shown_frames
from search.config.run_config import RunConfig
from search.detectors import plugin_streams
from search.detectors.precision import Precision, policy
from search.gan.trained_gans import best_gan
from search.studies.hyperparameters import Value, fixed_hyperparameters, optuna_params
from search.studies.keras_tuner_internals import Choice
from search.studies.known_answers import KnownAnswers
from spaces.backbones.names import SMALL_NETWORKS
from spaces.detector import DetectorGraph, detector_space
from spaces.streams.gan import GanStreamBlock
from spaces.streams.names import FLOW, GAN, STREAMS
from spaces.streams.spatial import SpatialBlock
from spaces.streams.temporal import KINDS, WITHOUT_LENGTH, WITHOUT_ORDER, TemporalBlock

SPATIAL = "detector/spatial"
BACKBONE = f"{SPATIAL}/backbone"

# Tried before other backbones: most papers compare with them.
_NAMED = ("resnet50", "vgg16")
# Every fourth of nine frames, the longest stride, leaves three, enough for temporal order.
_STRIDEN = 9
# Endings of choices whose smallest value makes the smallest detector.
_SIZES = ("filters", "stages", "blocks", "units")


def build_space(config: RunConfig, store: Store, frames: int | None = None) -> DetectorGraph:
    """Return the searchable detector for clips of this store.

    It has the streams and temporal blocks that can be trained on the frames of a training sample,
    and whose weights do not depend on the length of a clip.

    Args:
        config: Run configuration.
        store: An open store.
        frames: Frames of the clips, if not those of the store.
    """
    wanted = config.space
    stages: dict[str | int, int | str | None] = {"never": 0, "always": "all", "search": None}
    whole, *frame = store.clip_shape
    shown = shown_frames(config, store)
    kinds = KINDS if shown == whole else WITHOUT_LENGTH if shown > 2 else WITHOUT_ORDER
    # A stride would leave too few of these frames for temporal order.
    all_seen = 2 < shown < min(whole, _STRIDEN)
    modalities = {
        name: (shape[0] - whole + frames, *shape[1:]) if frames else shape
        for name, shape in store.modality_shapes.items()
        if not (frames == 1 and name == FLOW)
    }
    kept = best_gan(RunDirectory(config.run_dir)) if GAN in wanted.streams else None
    possible = possible_streams(config, store, discriminator=kept is not None)
    return detector_space(
        (frames or whole, *frame),
        modalities,
        streams=[stream for stream in possible if stream in STREAMS],
        added=plugin_streams.blocks(possible),
        crop_sizes=wanted.crop_sizes,
        crop_share=crop_share(config, store),
        gan=None if kept is None else GanStreamBlock(str(kept.discriminator)),
        temporal=TemporalBlock(kinds=kinds),
        spatial=SpatialBlock(
            backbones=wanted.backbones,
            weights=wanted.weights,
            trainable_stages=stages.get(wanted.fine_tune, wanted.fine_tune),
            inflated_stages=None if wanted.inflate == "search" else wanted.inflate,
            frame_stride=1 if all_seen else None,
        ),
    )


def crop_share(config: RunConfig, store: Store) -> float:
    """Return the side of the crop that the networks use, in sides of the stored crop."""
    margin = (store.preparation.get("clip") or {}).get("margin", config.space.crop_margin)
    return min(1.0, config.space.crop_margin / float(margin))


def build_detector(
    graph: DetectorGraph,
    hp: keras_tuner.HyperParameters,
    seed: int,
    precision: Precision = "float32",
) -> keras.Model:
    """Build a detector in a clean Keras state, so that names and weights depend on the seed alone.

    Args:
        graph: Detector space.
        hp: Answers of the choices.
        seed: Seed of initial weights and dropout.
        precision: Precision of its arithmetic; weights and output are always float32.

    Raises:
        UserError: This machine cannot compute in the precision.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    with policy(precision):
        return graph.build(hp)


def chosen_values(config: RunConfig, hp: keras_tuner.HyperParameters) -> dict[str, Value]:
    """Return the answers of a trial, with the backbone also if there is only one."""
    values = dict(hp.values)
    builds = any(name.startswith("detector/") for name in values)
    if builds and "spatial" in config.space.streams and values.get(SPATIAL, True):
        values.setdefault(BACKBONE, config.space.backbones[0])
    return values


def starting_points(graph: DetectorGraph, config: RunConfig) -> list[dict[str, Value]]:
    """Return parameters to try first: the defaults of the space with each backbone in turn.

    Building them also shows, before any trial, whether the space can be built on this machine.
    """
    points = []
    backbones = config.space.backbones if "spatial" in config.space.streams else (None,)
    for backbone in backbones:
        hp = fixed_hyperparameters({} if backbone is None else {BACKBONE: backbone})
        model = build_detector(graph, hp, config.seed, config.precision)
        plugin_streams.check_stock(model, config.space.streams)
        points.append(optuna_params(hp))
    return points


def first_points(
    graph: DetectorGraph, config: RunConfig, known: Sequence[dict[str, Value]] = ()
) -> list[dict[str, Value]]:
    """Return parameters to try first, each once.

    The defaults, known good points, one small detector, the defaults with ResNet50 and with VGG16
    if the space has them, then those with every other backbone.

    Args:
        graph: Detector space.
        config: Run configuration.
        known: Hyperparameters of good detectors of another space; choices that they lack keep their
            defaults.
    """
    points = starting_points(graph, config)
    backbones = [point.get(BACKBONE, config.space.backbones[0]) for point in points]
    named = [point for name, point in zip(backbones, points, strict=True) if name in _NAMED]
    adopted = []
    for values in known:
        hp = KnownAnswers(values)
        build_detector(graph, hp, config.seed, config.precision)
        adopted.append(optuna_params(hp))
    ordered = [points[0], *adopted, _small_point(graph, config), *named, *points]
    return [point for number, point in enumerate(ordered) if point not in ordered[:number]]


def _small_point(graph: DetectorGraph, config: RunConfig) -> dict[str, Value]:
    """Return one stream, the first small network, its smallest sizes, and the mean over time."""
    small = [name for name in config.space.backbones if name in SMALL_NETWORKS]
    streams = dict.fromkeys((*STREAMS[1:], *config.space.streams))
    values: dict[str, Value] = {f"detector/{name}": name == STREAMS[0] for name in streams}
    values["detector/temporal/kind"] = "mean"
    values |= {BACKBONE: small[0]} if small else {}
    hp = KnownAnswers(values)
    build_detector(graph, hp, config.seed, config.precision)
    for entry in hp.space:
        if isinstance(entry, Choice) and entry.ordered and entry.name.endswith(_SIZES):
            hp.values[entry.name] = min(entry.values)
    return optuna_params(hp)
