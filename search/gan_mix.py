"""What the GAN stage gives the training of detectors: walks of its best generator."""

from __future__ import annotations

from pathlib import Path

from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from search import studies
from search.config import RunConfig
from search.samples import Walks
from search.trial import GAN_FILES

STAGE = "gan"


def kept_generator(config: RunConfig) -> Path | None:
    """The generator of the best GAN trial of a run; ``None`` where there is none.

    Raises:
        UserError: there is none, and ``training.gan_fakes`` asks for one.
    """
    run = RunDirectory(config.run_dir)
    if STAGE in studies.trials(run.journal):
        for trial in studies.best(studies.open_study(run.journal, STAGE)):
            path = run.trial(STAGE, trial.number) / GAN_FILES[0]
            if path.is_file():
                return path
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
    from search.gan_walks import generated_walks

    generator = kept_generator(config)
    assert generator is not None
    faces = generated_walks(generator, generator.parent, frames=frames)
    return Walks(faces, f"{generator.parent.name} of {frames} frames")
