"""Fixed convolutions compute what their numpy counterparts do, and never change."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import correlate2d

from spaces import fixed_kernels
from spaces.fixed_kernels import (
    GREY_CHANNEL,
    fixed_conv,
    motion_kernels,
    srm_kernels,
    truncate,
)

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


@pytest.mark.parametrize("application", [keras.applications.resnet, keras.applications.vgg16])
def test_caffe_is_what_keras_applications_do_to_a_frame(
    clips: Frames, application: Callable[..., object]
) -> None:
    found = _apply(lambda x: fixed_kernels.caffe(x, frame_stride=2, name="a"), clips)
    for at, frame in enumerate(range(0, 5, 2)):
        colour = clips[:, frame, ..., :3].astype(np.float32)
        expected = application.preprocess_input(colour)  # type: ignore[attr-defined]
        np.testing.assert_allclose(found[:, at], expected, atol=1e-4)


def test_srm_residuals_are_those_of_the_three_filters(clips: Frames) -> None:
    grey = clips[..., GREY_CHANNEL:].astype(np.float32)
    found = _apply(lambda x: fixed_conv(x, srm_kernels(), name="a"), grey)
    for place in range(3):
        kernel = srm_kernels()[0, :, :, 0, place]
        expected = correlate2d(grey[1, 2, ..., 0], kernel, mode="valid")
        np.testing.assert_allclose(found[1, 2, ..., place], expected, atol=1e-3)


def test_srm_residuals_of_a_smooth_slope_are_nothing() -> None:
    slope = np.add.outer(np.arange(16.0), 2 * np.arange(16.0)).astype(np.float32)
    found = _apply(lambda x: fixed_conv(x, srm_kernels(), name="a"), slope[None, None, ..., None])
    np.testing.assert_allclose(found, 0, atol=1e-4)


def test_motion_is_the_change_between_frames_and_its_gradients(clips: Frames) -> None:
    grey = clips[..., GREY_CHANNEL:].astype(np.float32)
    found = _apply(lambda x: fixed_conv(x, motion_kernels(), name="a"), grey)
    change = np.diff(grey[..., 0], axis=1)
    assert found.shape == (2, 4, 30, 30, 3)
    np.testing.assert_allclose(found[..., 0], change[:, :, 1:-1, 1:-1], atol=1e-3)
    sobel = np.outer([1, 2, 1], [-1, 0, 1]) / 8
    for place, kernel in ((1, sobel), (2, sobel.T)):
        expected = correlate2d(change[0, 3], kernel, mode="valid")
        np.testing.assert_allclose(found[0, 3, ..., place], expected, atol=1e-3)


def test_truncate_clips_and_scales_to_unit_range() -> None:
    x = np.array([[-10, -3, -1.5, 0, 1.5, 3, 9]], np.float32)
    found = _apply(lambda x: truncate(x, 3.0, name="a"), x)
    np.testing.assert_allclose(found, [[-1, -1, -0.5, 0, 0.5, 1, 1]], atol=1e-6)


def test_a_fixed_convolution_does_not_learn(clips: Frames) -> None:
    x = keras.Input(clips.shape[1:], dtype="uint8")
    y = fixed_kernels.caffe(x, name="a")
    y = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling3D()(y))
    model = keras.Model(x, y)
    fixed = model.get_layer("a_bgr")
    before = fixed.get_weights()
    model.compile("adam", "mean_squared_error", run_eagerly=True)
    model.train_on_batch(clips, np.ones((2, 1)))
    assert fixed.trainable_weights == []
    for old, new in zip(before, fixed.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
