"""The stages of a run, in their order, and what a stage lacks of those before it."""

from __future__ import annotations

from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.config.feasible import obstacle_to, possible_streams
from search.config.run_config import RunConfig
from search.gan.kept import best_gan
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


def left_without(config: RunConfig) -> str | None:
    """What detectors must do without since the GAN stage has left nothing; call after that stage.

    Returns:
        A line that says so, or ``None``.

    Raises:
        UserError: no stream is left.
    """
    if GAN not in config.space.streams or not config.gan.trials:
        return None
    if best_gan(RunDirectory(config.run_dir)) is not None:
        return None
    with Store(config.store) as store:
        reason = obstacle_to(GAN, config, store, discriminator=False)
        if not possible_streams(config, store, discriminator=False):
            raise UserError(f"{config.store}: no stream is left to search (gan: {reason})")
    return f"without the gan stream: {reason}"
