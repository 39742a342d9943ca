"""The order of the stages and the number of trials of each, as a configuration sets them."""

from __future__ import annotations

from artifacts.stages import ARCHITECTURE, GAN, SEARCH_STAGES, TRAINING, Stage
from search.config.run_config import RunConfig
from spaces.streams.names import GAN as GAN_STREAM

GAN_FIRST = (GAN, ARCHITECTURE, TRAINING)
"""Order of the stages if detectors use the GAN."""


def trials_by_stage(config: RunConfig) -> dict[Stage, int]:
    """Return the number of trials of each stage, in the order in which the stages run."""
    trials = {
        ARCHITECTURE: config.architecture.trials,
        GAN: config.gan.trials,
        TRAINING: config.training.trials,
    }
    order = GAN_FIRST if GAN_STREAM in config.space.streams else SEARCH_STAGES
    return {stage: trials[stage] for stage in order}
