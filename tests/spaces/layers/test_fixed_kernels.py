"""Fixed convolutions compute what their numpy counterparts do, and never change."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import pytest

from spaces.layers import fixed_kernels
from spaces.layers.fixed_kernels import GREY_CHANNEL, fixed_conv, truncate

Frames = npt.NDArray[np.uint8]


def _apply(
    build: Callable[[keras.KerasTensor], keras.KerasTensor],
    x: npt.NDArray[np.generic],
) -> npt.NDArray[np.float32]:
    tensor = keras.Input(x.shape[1:], dtype=str(x.dtype))
    return np.asarray(keras.Model(tensor, build(tensor))(x))


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_rgb_is_colour_in_unit_range_of_every_nth_frame(clips: Frames, stride: int) -> None:
    found = _apply(lambda x: fixed_kernels.rgb(x, frame_stride=stride, name="a"), clips)
    np.testing.assert_allclose(found, clips[:, ::stride, ..., :3] / 255, atol=1e-6)


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_grey_is_the_fourth_channel_of_every_nth_frame(clips: Frames, stride: int) -> None:
    found = _apply(lambda x: fixed_kernels.grey(x, frame_stride=stride, name="a"), clips)
    np.testing.assert_array_equal(found, clips[:, ::stride, ..., GREY_CHANNEL:])


def test_truncate_clips_and_scales_to_unit_range() -> None:
    x = np.array([[-10, -3, -1.5, 0, 1.5, 3, 9]], np.float32)
    found = _apply(lambda x: truncate(x, 3.0, name="a"), x)
    np.testing.assert_allclose(found, [[-1, -1, -0.5, 0, 0.5, 1, 1]], atol=1e-6)


def test_a_fixed_convolution_does_not_learn(clips: Frames) -> None:
    x = keras.Input(clips.shape[1:], dtype="uint8")
    y = fixed_kernels.rgb(x, name="a")
    y = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling3D()(y))
    model = keras.Model(x, y)
    fixed = model.get_layer("a_rgb")
    before = fixed.get_weights()
    model.compile("adam", "mean_squared_error", run_eagerly=True)
    model.train_on_batch(clips, np.ones((2, 1)))
    assert fixed.trainable_weights == []
    for old, new in zip(before, fixed.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("step", ["rgb", "grey"])
def test_mixed_precision_rounds_no_pixel(clips: Frames, step: str) -> None:
    def build(x: keras.KerasTensor) -> keras.KerasTensor:
        return truncate(getattr(fixed_kernels, step)(x, name="a"), 200.0, name="b")

    expected = _apply(build, clips)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = _apply(build, clips)
    finally:
        keras.config.set_dtype_policy(before)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_a_fixed_convolution_strides_over_time_and_space() -> None:
    x = np.arange(2 * 4 * 4, dtype=np.float32).reshape(1, 2, 4, 4, 1)
    kernel, bias = np.full((2, 2, 2, 1, 1), 0.125, np.float32), np.array([1], np.float32)
    found = _apply(lambda x: fixed_conv(x, kernel, bias, strides=(1, 2, 2), name="a"), x)
    expected = x.reshape(2, 2, 2, 2, 2).mean(axis=(0, 2, 4)) + 1
    np.testing.assert_allclose(found[0, 0, ..., 0], expected)
