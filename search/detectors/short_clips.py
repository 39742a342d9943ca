"""A detector for fewer frames than a clip has, to be trained in the place of the whole one.

What frames look like is learned as well from one frame of a clip as from all of them, which are
nearly the same picture, and a step then shows as many more clips.
"""

from __future__ import annotations

import keras
import keras_tuner

from data_prep.store.store import Store
from search.config.feasible import shown_frames
from search.config.run_config import RunConfig
from search.detectors import space as detectors
from search.studies.hyperparameters import fixed


def shorter(
    config: RunConfig, store: Store, answers: keras_tuner.HyperParameters, seed: int
) -> keras.Model | None:
    """The detector of some answers for the frames a training sample has; ``None`` where it has all.

    Args:
        config: of the run; ``training.frames`` says how many.
        store: of the run.
        answers: those the whole detector was built with.
        seed: of initial weights and dropout.
    """
    frames = shown_frames(config, store)
    if frames == store.clip_shape[0]:
        return None
    graph = detectors.space(config, store, frames)
    return detectors.build(graph, fixed(dict(answers.values)), seed, config.precision)


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Give a detector the weights of the same detector for clips of another length.

    Raises:
        ValueError: their layers have other names or weights of other shapes.
    """
    ours, theirs = _weighted(source), _weighted(target)
    if set(ours) != set(theirs):
        raise ValueError(f"other layers: {', '.join(sorted(set(ours) ^ set(theirs)))}")
    for name, layer in ours.items():
        theirs[name].set_weights(layer.get_weights())


def _weighted(model: keras.Model) -> dict[str, keras.Layer]:
    """The layers that hold weights, by name; what is distributed over time under its own."""
    found: dict[str, keras.Layer] = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            inner = _weighted(layer)
        else:
            own = layer.layer if isinstance(layer, keras.layers.TimeDistributed) else layer
            inner = {own.name: own} if own.weights else {}
        if found.keys() & inner.keys():
            raise ValueError(f"two layers of one name: {min(found.keys() & inner.keys())}")
        found |= inner
    return found
