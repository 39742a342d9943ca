"""Inflated networks see every frame as the 2-D network does, with the weights asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from spaces.backbones import APPLICATIONS, BackboneError, backbone, inflate

SHAPE = (32, 32, 3)


def _shuffle_norms(model: keras.Model) -> None:
    """Give batch norms statistics, which are 0 and 1 in an untrained network."""
    rng = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])


@pytest.fixture(scope="module")
def vgg16() -> keras.Model:
    return keras.applications.VGG16(include_top=False, weights=None, input_shape=SHAPE)


@pytest.fixture(scope="module")
def weights_file(vgg16: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg16.weights.h5"
    vgg16.save_weights(path)
    return path


@pytest.mark.parametrize("name", sorted(APPLICATIONS))
def test_an_inflated_network_sees_each_frame_as_the_original_does(name: str) -> None:
    flat = APPLICATIONS[name](include_top=False, weights=None, input_shape=SHAPE)
    _shuffle_norms(flat)
    deep = inflate(flat, name="deep")
    clip = np.random.default_rng(0).normal(0, 60, (1, 3, *SHAPE)).astype(np.float32)
    found = np.asarray(deep(clip))
    expected = np.asarray(flat(clip[0]))
    assert found.shape == (1, *expected.shape)
    assert expected.std() > 0
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_an_inflated_network_takes_any_number_of_frames() -> None:
    flat_input = keras.Input((8, 8, 3))
    flat = keras.Model(flat_input, keras.layers.Conv2D(4, 3, strides=2)(flat_input))
    deep = inflate(flat, name="deep")
    assert deep.name == "deep"
    for frames in (1, 4):
        assert deep(np.zeros((2, frames, 8, 8, 3), np.float32)).shape == (2, frames, 3, 3, 4)


@pytest.mark.parametrize("axis", [3, -1])
def test_batch_norm_stays_on_the_channels_where_width_equals_channels(axis: int) -> None:
    x = keras.Input((8, 8, 8))
    flat = keras.Model(x, keras.layers.BatchNormalization(axis=axis)(x))
    _shuffle_norms(flat)
    clip = np.random.default_rng(0).normal(size=(1, 2, 8, 8, 8)).astype(np.float32)
    found = np.asarray(inflate(flat, name="deep")(clip))
    np.testing.assert_allclose(found[0], np.asarray(flat(clip[0])), atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.ZeroPadding2D(((1, 0), (0, 2))),
        keras.layers.MaxPooling2D(3, strides=2, padding="same"),
        keras.layers.AveragePooling2D((2, 4)),
        keras.layers.Conv2D(4, (3, 1), dilation_rate=2, use_bias=False),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_does_the_same_to_each_frame(layer: keras.Layer) -> None:
    x = keras.Input((9, 8, 3))
    flat = keras.Model(x, layer(x))
    clip = np.random.default_rng(0).normal(size=(1, 3, 9, 8, 3)).astype(np.float32)
    found = np.asarray(inflate(flat, name="deep")(clip))
    np.testing.assert_allclose(found[0], np.asarray(flat(clip[0])), atol=1e-5)


@pytest.mark.parametrize(
    "layer", [keras.layers.DepthwiseConv2D(3), keras.layers.GlobalAveragePooling2D()]
)
def test_a_layer_without_a_counterpart_is_refused_by_name(layer: keras.Layer) -> None:
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, layer(x))
    with pytest.raises(ValueError, match=rf"{layer.name} of type {type(layer).__name__}"):
        inflate(model, name="deep")


def test_weights_come_from_a_file_or_a_folder_of_files(
    vgg16: keras.Model, weights_file: Path
) -> None:
    expected = vgg16.get_layer("block3_conv2").get_weights()[0]
    for weights in (weights_file, weights_file.parent):
        network = backbone("vgg16", SHAPE, str(weights))
        found = network.get_layer("block3_conv2").get_weights()[0]
        np.testing.assert_array_equal(found[0], expected)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_folder_may_hold_the_file_as_keras_downloads_it(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    original = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    original.save(tmp_path / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5")
    inflated = backbone("vgg16", (32, 32, 3), str(tmp_path))
    for expected, found in zip(original.get_weights(), inflated.get_weights(), strict=True):
        np.testing.assert_array_equal(found[0] if found.ndim == 5 else found, expected)


def test_a_weights_file_that_lacks_a_layer_is_refused(tmp_path: Path, weights_file: Path) -> None:
    path = tmp_path / "vgg16.weights.h5"
    shutil.copy(weights_file, path)
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d_5"]
    with pytest.raises(BackboneError, match="does not fit the network"):
        backbone("vgg16", SHAPE, str(path))


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_of_another_network_are_refused(weights_file: Path) -> None:
    with pytest.raises(BackboneError, match=r"resnet50: .*vgg16.weights.h5 does not fit"):
        backbone("resnet50", SHAPE, str(weights_file))


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    grey = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 1))
    grey.save_weights(tmp_path / "vgg16.weights.h5")
    with pytest.raises(BackboneError, match="does not fit the network"):
        backbone("vgg16", SHAPE, str(tmp_path))


@pytest.mark.parametrize("inside", [False, True])
def test_a_missing_weights_file_is_named(tmp_path: Path, inside: bool) -> None:
    weights = tmp_path if inside else tmp_path / "none.weights.h5"
    expected = f"no file vgg16.weights.h5 or .* in {tmp_path}" if inside else f"no file {weights}"
    with pytest.raises(BackboneError, match=f"weights of vgg16: {expected}"):
        backbone("vgg16", SHAPE, str(weights))


@pytest.mark.parametrize("content", [b"", b"no weights", None])
def test_a_damaged_weights_file_is_refused(
    tmp_path: Path, weights_file: Path, content: bytes | None
) -> None:
    path = tmp_path / "vgg16.weights.h5"
    if content is None:
        shutil.copy(weights_file, path)
        os.truncate(path, path.stat().st_size // 2)
    else:
        path.write_bytes(content)
    with pytest.raises(BackboneError, match="does not fit the network"):
        backbone("vgg16", SHAPE, str(path))


def test_without_a_network_connection_the_error_says_how_to_go_on(tmp_path: Path) -> None:
    script = (
        "from spaces.backbones import BackboneError, backbone\n"
        "try:\n"
        "    backbone('vgg16', (32, 32, 3), 'imagenet')\n"
        "except BackboneError as error:\n"
        "    print(error)\n"
    )
    nowhere = "http://127.0.0.1:9"
    environment = {
        **os.environ,
        "KERAS_HOME": str(tmp_path),
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "no_proxy": "",
    }
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ImageNet weights of vgg16 cannot be downloaded" in done.stdout
    assert "copy the folder ~/.keras/models" in done.stdout
    assert 'weights = "none"' in done.stdout
