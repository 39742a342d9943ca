from __future__ import annotations

from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from data_prep.store import Store
from search import studies
from search.config import RunConfig, resolve
from search.gan import enqueue, kid, real_faces, run
from spaces.gan import FACE_SIDE


@pytest.fixture
def config(store_path: Path, tmp_path: Path) -> RunConfig:
    return resolve({"store": store_path, "run_dir": tmp_path, "gan": {"trials": 2, "steps": 20}})


def test_kid_is_near_zero_for_one_distribution_and_grows_with_distance() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(400, 8)), rng.normal(size=(400, 8))
    same, near, far = kid(a, b), kid(a, b + 0.5), kid(a, b + 1.5)
    assert abs(same) < 0.05
    assert same < near < far


def test_faces_are_real_ones_of_the_split_alone(store: Store) -> None:
    faces = real_faces(store, "val")
    assert faces.shape[1:] == (FACE_SIDE, FACE_SIDE, 3)
    assert len(faces) == len(store.rows("val", label=0)) * store.clip_shape[0]
    clip = store.read(store.rows("val", label=0)[:1])[0]
    np.testing.assert_allclose(faces[0], clip[0, ..., :3] / 127.5 - 1, atol=1e-5)


def test_a_split_without_reals_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="found 0"):
        real_faces(store, "no such split")


def test_the_recipe_and_the_convolutional_pair_train_and_leave_models_and_a_grid(
    config: RunConfig,
) -> None:
    enqueue(config)
    enqueue(config)
    for kind in ("dense", "convolutional"):
        outcome = run(config)
        assert outcome.state == "complete", outcome.reason
        assert outcome.value is not None
        folder = config.run_dir / "trials" / "gan" / str(outcome.number)
        generator = keras.models.load_model(folder / "generator.keras")
        discriminator = keras.models.load_model(folder / "discriminator.keras")
        faces = generator.predict(np.zeros((2, generator.input_shape[1]), np.float32), verbose=0)
        assert faces.shape == (2, FACE_SIDE, FACE_SIDE, 3)
        assert np.abs(faces).max() <= 1
        assert discriminator.predict(faces, verbose=0).shape == (2, 1)
        assert cv2.imread(str(folder / "faces.png")).shape == (256, 256, 3)
        trial = studies.trials(studies_journal(config))["gan"][outcome.number]
        assert trial.user_attrs["hyperparameters"]["kind"] == kind
        assert len(trial.intermediate_values) == 5
    assert len(studies.trials(studies_journal(config))["gan"]) == 2


def studies_journal(config: RunConfig) -> Path:
    return config.run_dir.resolve() / "studies.log"
