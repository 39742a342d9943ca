"""The copy for small runtimes computes the same in layers that they know."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from artifacts.models.portable import portable_copy, unrolled_copy

SHAPE = (5, 9, 8, 2)


def _same(model: keras.Model) -> keras.Model:
    copy = portable_copy(model)
    clips = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_allclose(copy(clips), model(clips), atol=1e-6)
    return copy


@pytest.mark.parametrize("kind", [keras.layers.AveragePooling3D, keras.layers.MaxPooling3D])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("pool", "strides"),
    [((1, 2, 2), None), ((1, 9, 8), None), ((2, 3, 3), (1, 2, 2)), ((3, 1, 1), (2, 1, 1))],
)
def test_pooling_in_three_dimensions_is_pooling_in_two(
    kind: type[keras.layers.Layer],
    padding: str,
    pool: tuple[int, ...],
    strides: tuple[int, ...] | None,
) -> None:
    frames = keras.Input(SHAPE)
    copy = _same(keras.Model(frames, kind(pool, strides, padding, name="pool")(frames)))
    assert not any(isinstance(layer, kind) for layer in copy._flatten_layers())


def test_recurrent_layers_are_laid_out_and_keep_their_weights() -> None:
    keras.utils.set_random_seed(0)
    x = sequence = keras.Input((4, 3))
    x = keras.layers.Bidirectional(keras.layers.LSTM(2, return_sequences=True))(x)
    copy = _same(keras.Model(sequence, keras.layers.GRU(2)(x)))
    unrolled = [layer.unroll for layer in copy._flatten_layers() if hasattr(layer, "unroll")]
    assert unrolled == [True, True, True]
    alone = unrolled_copy(copy)
    for ours, theirs in zip(alone.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_unrolling_alone_leaves_other_layers() -> None:
    frames = keras.Input(SHAPE)
    x = keras.layers.AveragePooling3D((1, 9, 8))(keras.layers.Conv3D(2, 1)(frames))
    x = keras.layers.LSTM(2)(keras.layers.Reshape((5, 2))(x))
    copy = unrolled_copy(keras.Model(frames, x))
    kinds = [type(layer).__name__ for layer in copy.layers]
    assert kinds == ["InputLayer", "Conv3D", "AveragePooling3D", "Reshape", "LSTM"]
    assert copy.layers[-1].unroll


def test_what_lies_in_a_nested_network_is_changed_too() -> None:
    keras.utils.set_random_seed(0)
    inside = keras.Input(SHAPE)
    x = keras.layers.Conv3D(3, (1, 3, 3), name="convolution")(inside)
    nested = keras.Model(inside, keras.layers.AveragePooling3D((1, 7, 6))(x), name="network")
    frames = keras.Input(SHAPE)
    copy = _same(keras.Model(frames, keras.layers.Flatten()(nested(frames))))
    kinds = {type(layer).__name__ for layer in copy._flatten_layers()}
    assert "AveragePooling2D" in kinds and "AveragePooling3D" not in kinds


@pytest.mark.parametrize(
    ("kernel", "strides", "padding", "left"),
    [((1, 1, 1), 1, "valid", 0), ((1, 3, 3), (1, 2, 2), "same", 0), ((2, 3, 3), 1, "valid", 1)],
)
def test_a_convolution_of_single_frames_is_one_in_two_dimensions(
    kernel: tuple[int, ...], strides: int | tuple[int, ...], padding: str, left: int
) -> None:
    keras.utils.set_random_seed(0)
    frames = keras.Input(SHAPE)
    x = keras.layers.Conv3D(3, kernel, strides, padding, activation="relu", name="look")(frames)
    copy = _same(keras.Model(frames, x))
    assert sum(isinstance(layer, keras.layers.Conv3D) for layer in copy._flatten_layers()) == left
