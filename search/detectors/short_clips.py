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
from search.detectors.space import build_detector, build_space
from search.studies.hyperparameters import fixed


def build_short_detector(
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
    graph = build_space(config, store, frames)
    return build_detector(graph, fixed(dict(answers.values)), seed, config.precision)
