"""A detector for fewer frames than a clip has, trained instead of the whole one.

Frames of a clip are nearly the same picture, so one of them is enough to learn the appearance of
fakes. A training step then shows more clips.
"""

from __future__ import annotations

import keras
import keras_tuner

from data_prep.store.store import Store
from search.config.feasible import shown_frames
from search.config.run_config import RunConfig
from search.detectors.space import build_detector, build_space
from search.studies.hyperparameters import fixed_hyperparameters


def build_short_detector(
    config: RunConfig, store: Store, answers: keras_tuner.HyperParameters, seed: int
) -> keras.Model | None:
    """Build the detector for the frames of a training sample; return ``None`` if it has all frames.

    Args:
        config: Run configuration; ``training.frames`` is the number of frames.
        store: Store of the run.
        answers: Answers that the whole detector was built with.
        seed: Seed of initial weights and dropout.
    """
    frames = shown_frames(config, store)
    if frames == store.clip_shape[0]:
        return None
    graph = build_space(config, store, frames)
    return build_detector(
        graph, fixed_hyperparameters(dict(answers.values)), seed, config.precision
    )
