"""The input nodes hand clips on as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import keras_tuner
import pytest

from spaces.inputs import DTYPES, ClipInput


def test_the_input_takes_uint8_frames_by_name() -> None:
    hp = keras_tuner.HyperParameters()
    node = ClipInput((5, 32, 48, 4))
    tensor = node.build_node(hp)
    assert tensor.name == "frames"
    assert tensor.dtype == "uint8"
    assert tensor.shape == (None, 5, 32, 48, 4)


def test_the_input_adds_no_layer_of_its_own() -> None:
    hp = keras_tuner.HyperParameters()
    node = ClipInput((5, 32, 32, 4))
    tensor = node.build_node(hp)
    assert node.build(hp, tensor) is tensor
    assert hp.space == []


@pytest.mark.parametrize("name", ["flow", "audio"])
def test_a_modality_is_taken_as_the_store_holds_it(name: str) -> None:
    tensor: keras.KerasTensor = ClipInput((5, 6, 7), name=name).build_node(None)
    assert (tensor.name, tensor.dtype, tensor.shape) == (name, "float16", (None, 5, 6, 7))


def test_an_unknown_array_is_refused() -> None:
    with pytest.raises(ValueError, match=r"name must be of .*Received: 'depth'"):
        ClipInput((5, 6, 7), name="depth")


@pytest.mark.parametrize("name", DTYPES)
def test_the_input_comes_back_from_its_config(name: str, come_back: Callable[[Any], Any]) -> None:
    again = come_back(ClipInput((5, 32, 48, 4), name=name))
    assert isinstance(again, ClipInput)
    tensor: keras.KerasTensor = again.build_node(keras_tuner.HyperParameters())
    assert (tensor.name, tensor.dtype, tensor.shape[1:]) == (name, DTYPES[name], (5, 32, 48, 4))
