"""What the GAN stage gives the training of detectors: walks of its best generator."""

from __future__ import annotations

from pathlib import Path

from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from search.config.run_config import RunConfig
from search.gan.kept import best_gan
from search.samples.samples import Walks


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


def walks(config: RunConfig, frames: int) -> Walks:
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
    return Walks(faces, f"{generator.parent.name} of {frames} frames")
