"""The detector space of a run: built from its configuration and store."""

from __future__ import annotations

import keras
import keras_tuner

from data_prep.store import Store
from search.config import RunConfig
from search.hyperparameters import Value, fixed, optuna_params
from spaces.detector import DetectorGraph, detector_space

BACKBONE = "detector/spatial/backbone"


def space(config: RunConfig, store: Store) -> DetectorGraph:
    """The searchable detector for clips of this store."""
    return detector_space(
        store.clip_shape,
        streams=config.space.streams,
        backbones=config.space.backbones,
        weights=config.space.weights,
        frozen={"never": True, "search": None, "always": False}[config.space.fine_tune],
    )


def build(graph: DetectorGraph, hp: keras_tuner.HyperParameters, seed: int) -> keras.Model:
    """Build a detector in a clean Keras state, so that names and weights depend on the seed alone.

    Args:
        graph: the space.
        hp: answers the choices.
        seed: of initial weights and dropout.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    return graph.build(hp)


def starting_points(graph: DetectorGraph, config: RunConfig) -> list[dict[str, Value]]:
    """Parameters to try first: the space's defaults with each backbone in turn.

    Building them also shows, before any trial is spent, whether the space can be built here.
    """
    points = []
    backbones = config.space.backbones if "spatial" in config.space.streams else (None,)
    for backbone in backbones:
        hp = fixed({} if backbone is None else {BACKBONE: backbone})
        build(graph, hp, config.seed)
        points.append(optuna_params(hp))
    return points
