"""Pixels reach each network as its own module would have prepared them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from spaces.backbones.efficientnet_lite import efficientnet_lite0
from spaces.backbones.pretrained import APPLICATIONS
from spaces.layers.preprocessing import MODES, preprocess

Frames = npt.NDArray[np.uint8]


def _prepared(clips: Frames, mode: str, **options: Any) -> npt.NDArray[np.float32]:
    x = keras.Input(clips.shape[1:], dtype="uint8")
    model = keras.Model(x, preprocess(x, mode, name="a", **options))
    assert not model.trainable_weights
    assert {layer.compute_dtype for layer in model.layers[1:]} == {"float32"}
    return np.asarray(model(clips))


@pytest.mark.parametrize("mode", MODES)
def test_pixels_are_what_the_modules_of_keras_make_of_them(clips: Frames, mode: str) -> None:
    modules = {
        inspect.getmodule(application.build)
        for application in APPLICATIONS.values()
        if application.preprocessing == mode and application.build is not efficientnet_lite0
    }
    assert modules
    found = _prepared(clips, mode)
    for module in modules:
        expected = module.preprocess_input(clips[..., :3].astype(np.float32))  # type: ignore[union-attr]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_every_second_frame_can_be_taken(clips: Frames, mode: str) -> None:
    found = _prepared(clips, mode, frame_stride=2)
    np.testing.assert_array_equal(found, _prepared(clips, mode)[:, ::2])


def test_mixed_precision_does_not_round_pixels(clips: Frames) -> None:
    expected = _prepared(clips, "caffe")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = _prepared(clips, "caffe")
    finally:
        keras.config.set_dtype_policy(policy)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_an_unknown_mode_is_refused() -> None:
    x = keras.Input((2, 8, 8, 4), dtype="uint8")
    with pytest.raises(ValueError, match=r"mode must be of .*Received: 'bgr'"):
        preprocess(x, "bgr", name="a")


def test_layers_are_named_after_the_stream(build_block: Callable[..., Any]) -> None:
    x = keras.Input((2, 8, 8, 4), dtype="uint8")
    model = keras.Model(x, preprocess(x, "torch", name="left"))
    assert [layer.name for layer in model.layers[1:]] == ["left_float", "left_pixels"]
