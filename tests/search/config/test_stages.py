"""The GAN stage comes first where detectors are built with its discriminator."""

from __future__ import annotations

from pathlib import Path

import pytest

from artifacts.run_directory import RunDirectory
from artifacts.stages import ARCHITECTURE, GAN, TRAINING
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.config.run_config import RunConfig, resolve
from search.config.stages import trials_by_stage
from search.gan.trained_gans import missing_gan_note
from search.studies.study import (
    open_study,
)
from search.trials.trial import GAN_FILES


def config_of(store: Store, folder: Path, streams: list[str], trials: int = 1) -> RunConfig:
    settings = {"space": {"streams": streams}, "gan": {"trials": trials}}
    return resolve({"store": store.path, "run_dir": folder, **settings})


def keep_a_gan(folder: Path) -> None:
    run = RunDirectory(folder)
    study = open_study(run, GAN)
    trial = study.ask()
    study.tell(trial, 0.1)
    run.trial(GAN, trial.number).mkdir(parents=True)
    for name in GAN_FILES:
        (run.trial(GAN, trial.number) / name).write_bytes(b"model")


def test_the_gan_comes_first_for_its_stream_alone(store: Store, tmp_path: Path) -> None:
    plain = trials_by_stage(config_of(store, tmp_path, ["spatial"], trials=7))
    assert list(plain) == [ARCHITECTURE, GAN, TRAINING]
    ours = trials_by_stage(config_of(store, tmp_path, ["spatial", "gan"], trials=7))
    assert list(ours) == [GAN, ARCHITECTURE, TRAINING]
    assert ours == plain
    assert ours[GAN] == 7


def test_nothing_is_said_where_a_gan_was_kept_or_none_was_wanted(
    store: Store, tmp_path: Path
) -> None:
    assert missing_gan_note(config_of(store, tmp_path, ["spatial"])) is None
    assert missing_gan_note(config_of(store, tmp_path, ["spatial", "gan"], trials=0)) is None
    assert missing_gan_note(config_of(store, tmp_path, ["spatial", "gan"])) is not None
    keep_a_gan(tmp_path)
    assert missing_gan_note(config_of(store, tmp_path, ["spatial", "gan"])) is None


def test_a_stage_that_left_no_gan_is_said_and_ends_a_run_of_that_stream_alone(
    store: Store, tmp_path: Path
) -> None:
    line = missing_gan_note(config_of(store, tmp_path, ["spatial", "gan"]))
    assert line == (
        f"without the gan stream: no GAN trial completed; see why with: dfsearch leaderboard "
        f"{tmp_path}"
    )
    with pytest.raises(UserError, match=r"no stream is left to search \(gan: no GAN trial"):
        missing_gan_note(config_of(store, tmp_path, ["gan"]))
