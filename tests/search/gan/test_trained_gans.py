"""The best pair of a run is found by its files."""

from __future__ import annotations

from pathlib import Path

from artifacts.run_directory import RunDirectory
from artifacts.stages import GAN
from search.gan.trained_gans import best_gan
from search.studies.study import (
    open_study,
)
from search.trials.trial import GAN_FILES


def test_the_lowest_distance_whose_files_are_there_is_best(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert best_gan(run) is None
    study = open_study(run, GAN)
    for value, files in ((0.3, GAN_FILES), (0.1, GAN_FILES[:1]), (0.2, GAN_FILES), (0.4, ())):
        trial = study.ask()
        study.tell(trial, value)
        folder = run.trial("gan", trial.number)
        folder.mkdir(parents=True)
        for name in files:
            (folder / name).write_bytes(b"model")
    found = best_gan(run)
    assert found is not None
    assert found.trial == 2
    assert found.generator == run.trial("gan", 2) / "generator.keras"
    assert found.discriminator == run.trial("gan", 2) / "discriminator.keras"
