"""Models are asked whether they look at the order of frames."""

from __future__ import annotations

import keras
import pytest

from artifacts.prediction.frame_order import is_blind_to_order

SHAPE = (4, 16, 16, 4)


def _model(kind: str, *, skip: int = 1, scale: float = 1.0, bias: float = 0.0) -> keras.Model:
    keras.utils.set_random_seed(0)
    frames = keras.Input(SHAPE, dtype="uint8", name="frames")
    x = keras.layers.Rescaling(1 / 255)(frames)
    x = keras.layers.Conv3D(4, (1, 5, 5), strides=(skip, 2, 2), activation="relu")(x)
    x = keras.layers.AveragePooling3D((1, 6, 6))(x)
    x = keras.layers.Reshape((-1, 4))(x)
    if kind == "mean":
        x = keras.layers.GlobalAveragePooling1D()(x)
    elif kind == "rnn":
        x = keras.layers.SimpleRNN(4)(x)
    else:
        x = keras.layers.Flatten()(keras.layers.Conv1D(4, 2)(x))
    final = keras.layers.Dense(
        1,
        activation="sigmoid",
        kernel_initializer=keras.initializers.RandomNormal(stddev=scale),
        bias_initializer=keras.initializers.Constant(bias),
    )
    return keras.Model(frames, final(x))


@pytest.mark.parametrize("skip", [1, 2])
def test_a_mean_over_frames_is_blind_even_where_frames_are_skipped(skip: int) -> None:
    assert is_blind_to_order(_model("mean", skip=skip))


@pytest.mark.parametrize("kind", ["rnn", "convolution"])
def test_what_goes_from_frame_to_frame_is_not(kind: str) -> None:
    assert not is_blind_to_order(_model(kind))


def test_a_model_that_is_too_sure_to_tell_is_taken_to_look_at_motion() -> None:
    assert not is_blind_to_order(_model("mean", bias=30.0))
