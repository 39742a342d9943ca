"""What the GAN stage leaves to the stages after it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from artifacts.run_directory import RunDirectory
from search.studies import study as studies
from search.trials.trial import GAN_FILES


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
    for trial in studies.best(studies.open_study(run.journal, "gan")):
        generator, discriminator = (run.trial("gan", trial.number) / name for name in GAN_FILES)
        if generator.is_file() and discriminator.is_file():
            return KeptGan(trial.number, generator, discriminator)
    return None
