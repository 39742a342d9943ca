from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_prep.store.store import Store
from search.config.run_config import RunConfig, resolve
from search.detectors.estimate import estimate, estimate_model
from search.detectors.space import build_detector, build_space
from search.studies.hyperparameters import fixed_hyperparameters
from spaces.training.space import TrainingChoices


def config_of(store: Store, backbone: str) -> RunConfig:
    space = {"backbones": [backbone], "weights": "none"}
    settings = {"store": store.path, "run_dir": "run", "space": space}
    return resolve(settings | {"training": {"frames": 0}})


def test_an_estimate_is_what_the_detector_is_then_and_allocates_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, allocated = config_of(store, "vgg16"), []
    drawn = keras.initializers.GlorotUniform.__call__

    def watched(initializer: Any, *shape: Any, **how: Any) -> Any:
        allocated.append(tf.executing_eagerly())
        return drawn(initializer, *shape, **how)

    monkeypatch.setattr(keras.initializers.GlorotUniform, "__call__", watched)
    found = estimate(build_space(config, store), fixed_hyperparameters({}), TrainingChoices())
    assert allocated
    assert not any(allocated)
    model = build_detector(build_space(config, store), fixed_hyperparameters({}), 0)
    assert any(allocated)
    assert found == estimate_model(model, TrainingChoices())
    assert found.params == sum(int(np.prod(weight.shape)) for weight in model.weights)


def test_weights_that_are_passed_over_are_there_when_the_detector_is_built(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "vgg16.weights.h5"
    network = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=(*store.clip_shape[1:3], 3)
    )
    network.save_weights(path)
    space = {"backbones": ["vgg16"], "weights": str(path)}
    config = resolve({"store": store.path, "run_dir": "run", "space": space})
    assert (
        estimate(build_space(config, store), fixed_hyperparameters({}), TrainingChoices())
        is not None
    )
    model = build_detector(build_space(config, store), fixed_hyperparameters({}), 0)
    (found,) = [layer for layer in model._flatten_layers() if layer.name.endswith("block1_conv2")]
    expected = network.get_layer("block1_conv2").get_weights()[0]
    np.testing.assert_array_equal(found.get_weights()[0][0], expected)


def test_what_trains_takes_memory_and_what_is_frozen_takes_little(store: Store) -> None:
    config = config_of(store, "small_cnn")
    model = build_detector(build_space(config, store), fixed_hyperparameters({}), 0)
    one, more, averaged = (
        estimate_model(
            model, TrainingChoices(batch_size=size, weight_averaging=averages)
        ).memory_bytes
        for size, averages in ((8, False), (32, False), (8, True))
    )
    assert one < more
    assert averaged - one == 4 * sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    for layer in model.layers[:-1]:
        layer.trainable = False
    assert estimate_model(model, TrainingChoices(batch_size=8)).memory_bytes < one


def test_the_file_is_about_as_large_as_estimated(store: Store, tmp_path: Path) -> None:
    config = config_of(store, "small_cnn")
    model = build_detector(build_space(config, store), fixed_hyperparameters({}), 0)
    model.save(tmp_path / "m.keras")
    size = (tmp_path / "m.keras").stat().st_size
    assert estimate_model(model, TrainingChoices()).file_bytes == pytest.approx(size, rel=0.2)
