from __future__ import annotations

import keras
import numpy as np
import pytest

from search.detectors.allocation_free import avoid_allocation
from spaces.backbones import pretrained


def test_keras_is_as_before_after_an_error_in_the_block() -> None:
    methods = (
        (keras.Layer, "get_weights"),
        (keras.Layer, "set_weights"),
        (keras.Model, "load_weights"),
        (pretrained, "pretrained"),
    )
    before = [vars(owner)[name] for owner, name in methods]
    with pytest.raises(RuntimeError), avoid_allocation():
        assert all(
            vars(owner)[name] is not old for (owner, name), old in zip(methods, before, strict=True)
        )
        raise RuntimeError
    assert [vars(owner)[name] for owner, name in methods] == before


def test_a_layer_built_inside_has_the_shapes_of_its_weights_and_no_values() -> None:
    with avoid_allocation():
        layer = keras.layers.Dense(3)
        layer.build((None, 5))
        layer.set_weights([np.ones((5, 3)), np.ones(3)])
        found = layer.get_weights()
    assert [weight.shape for weight in found] == [(5, 3), (3,)]
    assert not any(weight.any() for weight in found)
