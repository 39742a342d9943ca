"""High-pass filters leave nothing of smooth content, and the learned ones stay high-pass."""

from __future__ import annotations

import collections
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest
from scipy.fft import dctn
from scipy.signal import correlate2d

from artifacts.models.saved import plain_copy
from artifacts.models.trust import check_model_file
from spaces.layers.fixed_kernels import GREY_CHANNEL, fixed_conv
from spaces.streams.high_pass import (
    ENERGY_FALL,
    LOW_ENERGY,
    HighPassConstraint,
    dct_kernels,
    learned_high_pass,
    srm3_kernels,
    srm30_kernels,
)

Frames = npt.NDArray[np.uint8]
SETS = {"srm3": srm3_kernels, "srm30": srm30_kernels}


def _rows(kernels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(1, k, k, 1, count) as (count, k, k)."""
    return np.moveaxis(kernels[0, :, :, 0], -1, 0)


@pytest.mark.parametrize("name", SETS)
def test_every_kernel_is_minus_one_at_the_pixel_and_adds_up_to_nothing(name: str) -> None:
    for kernel in _rows(SETS[name]()):
        assert kernel[2, 2] == -1
        assert kernel.sum() == pytest.approx(0, abs=1e-6)


def test_the_thirty_kernels_differ_and_are_of_the_seven_classes() -> None:
    kernels = _rows(srm30_kernels())
    assert len(np.unique(kernels.reshape(30, -1), axis=0)) == 30
    taps = collections.Counter(np.count_nonzero(kernel) for kernel in kernels)
    first, second, third, square3, edge3, square5, edge5 = 2, 3, 4, 9, 6, 25, 15
    assert taps == {first: 8, second: 4, third: 8, square3: 1, edge3: 4, square5: 1, edge5: 4}


def test_the_common_three_are_among_the_thirty() -> None:
    thirty = _rows(srm30_kernels())
    for kernel in _rows(srm3_kernels()):
        assert (thirty == kernel).all(axis=(1, 2)).sum() == 1


def test_a_quarter_turn_of_the_set_is_the_set() -> None:
    kernels = {kernel.tobytes() for kernel in _rows(srm30_kernels())}
    turned = {np.rot90(kernel).copy().tobytes() for kernel in _rows(srm30_kernels())}
    second = [kernel for kernel in _rows(srm30_kernels()) if np.count_nonzero(kernel) == 3]
    assert turned == kernels
    assert {np.rot90(kernel).copy().tobytes() for kernel in second} <= kernels


@pytest.mark.parametrize(("order", "taps"), [(1, (2,)), (2, (3, 6, 9, 15, 25)), (3, (4,))])
def test_a_residual_of_an_order_annihilates_slopes_below_it(
    order: int, taps: tuple[int, ...]
) -> None:
    y, x = np.mgrid[:12, :12].astype(float)
    for kernel in _rows(srm30_kernels()):
        if np.count_nonzero(kernel) not in taps:
            continue
        for power in range(order):
            smooth = (0.3 * x + 0.7 * y + 5) ** power
            np.testing.assert_allclose(correlate2d(smooth, kernel, mode="valid"), 0, atol=1e-4)
        curved = (0.3 * x + 0.9 * y) ** 4
        assert np.abs(correlate2d(curved, kernel, mode="valid")).max() > 1e-3


@pytest.mark.parametrize("name", SETS)
def test_residuals_are_those_of_the_filters(clips: Frames, name: str) -> None:
    grey = clips[..., GREY_CHANNEL:].astype(np.float32)
    tensor = keras.Input(grey.shape[1:])
    model = keras.Model(tensor, fixed_conv(tensor, SETS[name](), name="a"))
    found = np.asarray(model(grey))
    for place, kernel in enumerate(_rows(SETS[name]())):
        expected = correlate2d(grey[1, 2, ..., 0], kernel, mode="valid")
        np.testing.assert_allclose(found[1, 2, ..., place], expected, atol=1e-3)


def test_dct_kernels_give_the_block_dct_without_the_mean() -> None:
    block = np.random.default_rng(0).normal(0, 20, (8, 8))
    found = np.einsum("yx,yxk->k", block, dct_kernels()[0, :, :, 0])
    place = np.arange(8)
    usual = LOW_ENERGY / np.maximum(np.add.outer(place**2, place**2), 1.0) ** ENERGY_FALL
    expected = (dctn(block, norm="ortho") / np.sqrt(usual)).ravel()[1:]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_constraint_is_met_by_the_nearest_kernel(channels: int) -> None:
    kernel = np.random.default_rng(0).normal(size=(1, 5, 5, channels, 4)).astype(np.float32)
    constrained = HighPassConstraint()(keras.ops.convert_to_tensor(kernel))
    found = np.asarray(constrained)
    np.testing.assert_array_equal(found[0, 2, 2], -1)
    np.testing.assert_allclose(found.sum(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(np.asarray(HighPassConstraint()(constrained)), found, atol=1e-6)
    # Of all kernels that meet it the nearest: the way to it is the same for every other weight.
    way = (found - kernel).reshape(25, -1)
    others = np.delete(way, 12, axis=0)
    np.testing.assert_allclose(others, others[:1].repeat(24, axis=0), atol=1e-6)


def test_the_constraint_does_not_explode_where_the_weights_cancel_out() -> None:
    kernel = np.zeros((1, 5, 5, 1, 1), np.float32)
    kernel[0, 0, 0], kernel[0, 0, 1] = 1, -1
    found = np.asarray(HighPassConstraint()(keras.ops.convert_to_tensor(kernel)))
    assert np.abs(found).max() < 1.1


def _learner(side: int) -> keras.Model:
    x = keras.Input((2, side, side, 1))
    y = learned_high_pass(x, 3, name="learned")
    y = keras.layers.ReLU()(y)
    return keras.Model(x, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling3D()(y)))


@pytest.mark.parametrize(
    "optimizer", [keras.optimizers.Adam, lambda: keras.optimizers.SGD(0.01, clipnorm=1.0)]
)
def test_learned_kernels_learn_and_stay_high_pass(
    optimizer: Callable[[], keras.Optimizer],
) -> None:
    keras.utils.set_random_seed(3)
    model = _learner(12)
    kernel = model.get_layer("learned").kernel
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 20, (8, 2, 12, 12, 1)).astype(np.float32), rng.normal(size=(8, 1))
    before = np.asarray(kernel)
    model.compile(optimizer(), "mean_squared_error")
    for _ in range(5):
        model.train_on_batch(x, y)
        after = np.asarray(kernel)
        np.testing.assert_array_equal(after[0, 2, 2], -1)
        np.testing.assert_allclose(after.sum(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_array_equal(before[0, 2, 2], -1)
    np.testing.assert_allclose(before.sum(axis=(1, 2)), 0, atol=1e-5)
    assert np.abs(after - before).max() > 1e-4


def test_learned_kernels_start_apart() -> None:
    keras.utils.set_random_seed(3)
    one, other, third = _rows(np.asarray(_learner(12).get_layer("learned").kernel))
    assert min(np.abs(one - other).max(), np.abs(other - third).max()) > 0.01


def test_mixed_precision_lets_no_content_through() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = _learner(12)
    finally:
        keras.config.set_dtype_policy(before)
    flat = np.full((1, 2, 12, 12, 1), 200, np.float32)
    residual = keras.Model(model.inputs[0], model.get_layer("learned").output)
    np.testing.assert_allclose(np.asarray(residual(flat)), 0, atol=1e-3)


def test_a_plain_copy_without_the_constraint_is_stock_keras_and_predicts_the_same(
    tmp_path: Path,
) -> None:
    model = _learner(12)
    x = np.random.default_rng(0).normal(0, 20, (8, 2, 12, 12, 1)).astype(np.float32)
    model.compile("adam", "mean_squared_error")
    model.train_on_batch(x, np.ones((8, 1)))
    assert isinstance(model.get_layer("learned").kernel_constraint, HighPassConstraint)

    exported = plain_copy(model)
    path = tmp_path / "exported.h5"
    exported.save(path, include_optimizer=False)
    check_model_file(path)
    again = keras.models.load_model(path, compile=False)
    np.testing.assert_allclose(np.asarray(again(x)), np.asarray(model(x)), atol=1e-5)


def test_the_constraint_comes_back_from_its_config(come_back: Callable[..., object]) -> None:
    come_back(HighPassConstraint())
    layer = learned_high_pass(keras.Input((1, 8, 8, 1)), 2, name="a")._keras_history.operation
    again = keras.layers.Conv3D.from_config(layer.get_config())
    assert isinstance(again.kernel_constraint, HighPassConstraint)
