"""Results of the GAN stage that later stages use."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from artifacts.run_directory import RunDirectory
from artifacts.stages import GAN
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.config.feasible import obstacle_to, possible_streams
from search.config.run_config import RunConfig
from search.samples.samples import Walks
from search.studies.study import (
    best_trials,
    open_study,
)
from search.trials.trial import GAN_FILES
from spaces.streams.names import GAN as GAN_STREAM


@dataclasses.dataclass(frozen=True)
class KeptGan:
    """Files of a kept pair.

    Attributes:
        trial: Number of the trial.
        generator, discriminator: Model files.
    """

    trial: int
    generator: Path
    discriminator: Path


def best_gan(run: RunDirectory) -> KeptGan | None:
    """Return the kept pair of lowest KID, or ``None`` if the stage has completed no trial."""
    if not run.root.is_dir():
        return None
    for trial in best_trials(open_study(run, GAN)):
        generator, discriminator = (run.trial(GAN, trial.number) / name for name in GAN_FILES)
        if generator.is_file() and discriminator.is_file():
            return KeptGan(trial.number, generator, discriminator)
    return None


def missing_gan_note(config: RunConfig) -> str | None:
    """Return a line about the missing GAN stream; call after the GAN stage.

    Returns:
        The line, or ``None`` if the stage kept a pair or none is needed.

    Raises:
        UserError: No stream is left.
    """
    if GAN_STREAM not in config.space.streams or not config.gan.trials:
        return None
    if best_gan(RunDirectory(config.run_dir)) is not None:
        return None
    with Store(config.store) as store:
        reason = obstacle_to(GAN_STREAM, config, store, discriminator=False)
        if not possible_streams(config, store, discriminator=False):
            raise UserError(f"{config.store}: no stream is left to search (gan: {reason})")
    return f"without the gan stream: {reason}"


def kept_generator(config: RunConfig) -> Path | None:
    """Return the generator of the best GAN trial of a run; ``None`` if there is none.

    Raises:
        UserError: There is none, and ``training.gan_fakes`` asks for one.
    """
    run = RunDirectory(config.run_dir)
    kept = best_gan(run) if config.gan.trials else None
    if kept is not None:
        return kept.generator
    if config.training.gan_fakes is True:
        raise UserError(
            "training.gan_fakes is true and no GAN trial completed; see why with: dfsearch "
            f"leaderboard {run.root}, and start a run with more gan.trials or without gan_fakes"
        )
    return None


def load_walks(config: RunConfig, frames: int) -> Walks:
    """Return faces along latent walks of the kept generator, computed once and stored beside it.

    Args:
        config: Run configuration; its GAN stage has a complete trial.
        frames: Frames of a walk.
    """
    # This imports TensorFlow, which other functions of this module do not need.
    from search.gan.latent_walks import generated_walks

    generator = kept_generator(config)
    assert generator is not None
    faces = generated_walks(generator, generator.parent, frames=frames)
    return Walks(faces, f"{generator.parent.name}x{frames}")
