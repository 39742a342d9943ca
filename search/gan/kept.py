"""What the GAN stage leaves to the stages after it."""

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
from search.studies import study as studies
from search.trials.trial import GAN_FILES
from spaces.streams.names import GAN as GAN_STREAM


@dataclasses.dataclass(frozen=True)
class KeptGan:
    """Files of a kept pair.

    Attributes:
        trial: its number.
        generator, discriminator: the models.
    """

    trial: int
    generator: Path
    discriminator: Path


def best_gan(run: RunDirectory) -> KeptGan | None:
    """The kept pair of lowest KID, or ``None`` where the stage has completed no trial."""
    if not run.root.is_dir():
        return None
    for trial in studies.best(studies.open_study(run.journal, GAN)):
        generator, discriminator = (run.trial(GAN, trial.number) / name for name in GAN_FILES)
        if generator.is_file() and discriminator.is_file():
            return KeptGan(trial.number, generator, discriminator)
    return None


def missing_gan_note(config: RunConfig) -> str | None:
    """What detectors must do without since the GAN stage has left nothing; call after that stage.

    Returns:
        A line that says so, or ``None``.

    Raises:
        UserError: no stream is left.
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
    """The generator of the best GAN trial of a run; ``None`` where there is none.

    Raises:
        UserError: there is none, and ``training.gan_fakes`` asks for one.
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
    """Faces along latent walks of that generator, made once and kept beside it.

    Args:
        config: of the run; its GAN stage has a complete trial.
        frames: of a walk.
    """
    # It computes the faces with TensorFlow, which the calling process need not have.
    from search.gan.latent_walks import generated_walks

    generator = kept_generator(config)
    assert generator is not None
    faces = generated_walks(generator, generator.parent, frames=frames)
    return Walks(faces, f"{generator.parent.name}x{frames}")
