from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.config import run_config
from search.config.run_config import RunConfig
from search.features.cache import FeatureCache
from search.gan.trained_gans import kept_generator, load_walks
from search.stages import training
from search.studies.hyperparameters import fixed_hyperparameters
from search.training.fit import TrainingTask, fit
from spaces.training.space import TrainingChoices


@pytest.fixture
def config(finished_run: Path) -> RunConfig:
    return run_config.load(RunDirectory(finished_run).config)


def with_gan_fakes(config: RunConfig, value: bool | str, run_dir: Path) -> RunConfig:
    ours = config.training.model_copy(update={"gan_fakes": value})
    return config.model_copy(update={"training": ours, "run_dir": run_dir})


def test_walks_are_of_the_best_generator_and_made_once(config: RunConfig) -> None:
    generator = kept_generator(config)
    assert generator is not None
    found = load_walks(config, 4)
    assert found.faces.shape[1] == 4
    assert found.faces.dtype == np.uint8
    kept = {path: path.stat().st_mtime_ns for path in generator.parent.glob("walks-*.npy")}
    assert kept
    np.testing.assert_array_equal(load_walks(config, 4).faces, found.faces)
    assert all(path.stat().st_mtime_ns == then for path, then in kept.items())


def test_a_run_without_a_generator_asks_for_no_gan_fakes(config: RunConfig, tmp_path: Path) -> None:
    searched = with_gan_fakes(config, "search", tmp_path)
    assert kept_generator(searched) is None
    hp = fixed_hyperparameters({"gan_fakes": True})
    assert not training.training_choices(searched, hp).gan_fakes
    assert not hp.space or "gan_fakes" not in {entry.name for entry in hp.space}
    with pytest.raises(UserError, match=r"no GAN trial completed; .*gan\.trials"):
        kept_generator(with_gan_fakes(config, True, tmp_path))


def test_a_run_with_one_may(config: RunConfig, finished_run: Path) -> None:
    searched = with_gan_fakes(config, "search", finished_run)
    assert training.training_choices(searched, fixed_hyperparameters({"gan_fakes": True})).gan_fakes


def test_a_detector_is_trained_on_gan_fakes(
    config: RunConfig, store: Store, tmp_path: Path
) -> None:
    frames = keras.Input(store.clip_shape, dtype="uint8", name="frames")
    x = keras.layers.GlobalAveragePooling3D()(keras.layers.Rescaling(1 / 255)(frames))
    model = keras.Model(frames, keras.layers.Dense(1, activation="sigmoid")(x))
    losses = []
    for gan_fakes in (False, True):
        choices = TrainingChoices(samples=16, epoch_samples=16, batch_size=8, gan_fakes=gan_fakes)
        model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
        found = fit(
            model,
            TrainingTask(
                store, FeatureCache(tmp_path), 0, walks=load_walks(config, store.clip_shape[0])
            ),
            choices,
        )
        losses.append(found.history[0].loss)
    assert np.isfinite(losses).all()
    assert losses[0] != losses[1]
