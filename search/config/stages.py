"""The stages of a run, in their order, and what a stage lacks of those before it."""

from __future__ import annotations

from search.config.run_config import RunConfig
from spaces.streams.names import GAN

ORDER = ("architecture", "gan", "training")
GAN_FIRST = ("gan", "architecture", "training")
"""Where detectors are built with what the GAN has learned."""


def stages(config: RunConfig) -> dict[str, int]:
    """How many trials each stage has, in the order of the stages."""
    trials = {
        "architecture": config.architecture.trials,
        "gan": config.gan.trials,
        "training": config.training.trials,
    }
    order = GAN_FIRST if GAN in config.space.streams else ORDER
    return {name: trials[name] for name in order}
