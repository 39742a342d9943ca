"""The input node hands uint8 clips on as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import keras_tuner

from spaces.inputs import FramesInput


def test_the_input_takes_uint8_frames_by_name() -> None:
    hp = keras_tuner.HyperParameters()
    node = FramesInput((5, 32, 48, 4))
    tensor = node.build_node(hp)
    assert tensor.name == "frames"
    assert tensor.dtype == "uint8"
    assert tensor.shape == (None, 5, 32, 48, 4)


def test_the_input_adds_no_layer_of_its_own() -> None:
    hp = keras_tuner.HyperParameters()
    node = FramesInput((5, 32, 32, 4))
    tensor = node.build_node(hp)
    assert node.build(hp, tensor) is tensor
    assert hp.space == []


def test_the_input_comes_back_from_its_config(come_back: Callable[[Any], Any]) -> None:
    again = come_back(FramesInput((5, 32, 48, 4), name="clip"))
    assert isinstance(again, FramesInput)
    tensor: keras.KerasTensor = again.build_node(keras_tuner.HyperParameters())
    assert (tensor.name, tensor.dtype, tensor.shape[1:]) == ("clip", "uint8", (5, 32, 48, 4))
