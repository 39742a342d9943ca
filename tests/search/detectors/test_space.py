from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from artifacts.models.saved import plain_copy
from artifacts.models.trust import check_model_file
from artifacts.run_directory import RunDirectory
from artifacts.stages import GAN
from data_prep.store.store import Store
from search.config.run_config import resolve
from search.detectors.short_clips import build_short_detector
from search.detectors.space import (
    BACKBONE,
    build_detector,
    build_space,
    chosen_values,
    first_points,
    starting_points,
)
from search.features.cache import FeatureCache
from search.studies.hyperparameters import fixed_hyperparameters
from search.studies.study import (
    open_study,
)
from search.training.fit import TrainingTask, fit
from search.trials.trial import GAN_FILES
from spaces.backbones.pretrained import BackboneError
from spaces.gan.choices import GanChoices
from spaces.gan.networks import discriminator
from spaces.training.space import TrainingChoices


def config_of(store: Store, **space: object) -> object:
    return resolve({"store": store.path, "run_dir": "run", "space": space})


def test_one_seed_gives_one_model_with_one_set_of_names(store: Store) -> None:
    config = config_of(store, backbones=["small_cnn"])
    models = [
        build_detector(build_space(config, store), fixed_hyperparameters({}), seed)
        for seed in (1, 1, 2)
    ]
    names = [[layer.name for layer in model.layers] for model in models]
    assert names[0] == names[1] == names[2]
    weights = [model.get_layer("spatial_stage1_conv").get_weights()[0] for model in models]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).any()


def test_every_backbone_is_a_starting_point(store: Store) -> None:
    config = config_of(store, backbones=["small_cnn", "vgg16"], weights="none")
    points = starting_points(build_space(config, store), config)
    assert [point[BACKBONE] for point in points] == ["small_cnn", "vgg16"]


def test_without_the_spatial_stream_there_is_one_starting_point(store: Store) -> None:
    config = config_of(store, streams=["noise_residual"])
    (point,) = starting_points(build_space(config, store), config)
    assert BACKBONE not in point


def test_the_only_backbone_is_named_where_it_is_not_asked_for(store: Store) -> None:
    config = config_of(store, backbones=["small_resnet"])
    hp = fixed_hyperparameters({})
    build_detector(build_space(config, store), hp, 0)
    assert BACKBONE not in hp.values
    assert chosen_values(config, hp)[BACKBONE] == "small_resnet"
    off = fixed_hyperparameters({"detector/spatial": False, "detector/noise_residual/filters": 8})
    assert BACKBONE not in chosen_values(config, off)
    assert chosen_values(config, fixed_hyperparameters({"optimizer": "adam"})) == {
        "optimizer": "adam"
    }


def test_missing_weights_show_before_any_trial(store: Store, tmp_path: Path) -> None:
    config = config_of(store, backbones=["resnet50"], weights=str(tmp_path))
    with pytest.raises(BackboneError, match="no file"):
        starting_points(build_space(config, store), config)


@pytest.mark.parametrize(
    ("fine_tune", "asked", "trains"),
    [("never", False, 0), (1, False, 6), ("always", False, 26), ("search", True, 0)],
)
def test_fine_tuning_is_a_setting(
    store: Store, tmp_path: Path, fine_tune: str | int, asked: bool, trains: int
) -> None:
    network = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    network.save_weights(tmp_path / "vgg16.weights.h5")
    config = config_of(store, backbones=["vgg16"], weights=str(tmp_path), fine_tune=fine_tune)
    hp = fixed_hyperparameters({})
    model = build_detector(build_space(config, store), hp, 0)
    assert ("detector/spatial/trainable_stages" in hp.values) == asked
    assert len(model.get_layer("vgg16").trainable_weights) == trains


@pytest.mark.parametrize("frames", [0, 1])
def test_the_best_discriminator_is_a_frozen_stream_whose_features_are_kept(
    store: Store, tmp_path: Path, frames: int
) -> None:
    run = RunDirectory(tmp_path / "run")
    run.root.mkdir()
    study = open_study(run, GAN)
    for value in (0.2, 0.1):
        trial = study.ask()
        folder = run.trial("gan", trial.number)
        folder.mkdir(parents=True)
        keras.utils.set_random_seed(trial.number)
        judge = discriminator(GanChoices(kind="convolutional"), spectral=False)
        for name in GAN_FILES:
            judge.save(folder / name)
        study.tell(trial, value)
    streams = {"streams": ["gan", "noise_residual"], "backbones": ["small_cnn"]}
    settings = {"store": store.path, "run_dir": run.root, "space": streams}
    config = resolve({**settings, "training": {"frames": frames}})
    answers = fixed_hyperparameters({})
    model = build_detector(build_space(config, store), answers, 0)
    before = model.get_layer("gan_conv1").get_weights()
    np.testing.assert_array_equal(before[0][0], judge.get_layer("conv1").get_weights()[0])

    choices = TrainingChoices(samples=32, epoch_samples=16, views=2, augmentation="light")
    less = build_short_detector(config, store, answers, 0)
    trained = fit(model, TrainingTask(store, FeatureCache(run.features), 0), choices, shorter=less)
    after = model.get_layer("gan_conv1").get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert trained.cached >= 1
    assert trained.note == ""
    shapes = [np.load(path, mmap_mode="r").shape for path in run.features.rglob("*.npy")]
    width = 32 + 64 + 128
    assert any(shape[-1] == width for shape in shapes), shapes

    plain_copy(model).save(tmp_path / "model.h5")
    check_model_file(tmp_path / "model.h5")
    again = keras.models.load_model(tmp_path / "model.h5", compile=False)
    clips = store.read(store.rows("val"))
    np.testing.assert_allclose(again.predict(clips), model.predict(clips), atol=1e-6)


def test_the_known_the_small_and_the_named_are_tried_before_the_rest(store: Store) -> None:
    space = {
        "backbones": ["meso", "small_cnn", "small_resnet", "vgg16"],
        "weights": "none",
        "streams": ["spatial", "noise_residual"],
    }
    settings = {"store": store.path, "run_dir": "run", "space": space, "training": {"frames": 0}}
    config = resolve(settings)
    known = {
        BACKBONE: "small_cnn",
        "detector/spatial/filters": 8,
        "detector/temporal/kind": "unheard of",
        "elsewhere": 3,
    }
    points = first_points(build_space(config, store), config, [known])
    backbones = [point[BACKBONE] for point in points]
    assert backbones == ["meso", "small_cnn", "meso", "vgg16", "small_cnn", "small_resnet"]
    # Of the known this space has a part; of the small one everything is as small as can be.
    taken, small, plain = points[1], points[2], points[4]
    assert (taken["detector/spatial/filters"], plain["detector/spatial/filters"]) == (0, 1)
    assert taken["detector/temporal/kind"] == plain["detector/temporal/kind"]
    assert "elsewhere" not in taken
    assert small["detector/noise_residual"] is False
    assert small["detector/temporal/kind"] == "mean"
    assert small["detector/spatial/meso_filters"] == 0
