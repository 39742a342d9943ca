"""Models are asked whether they look at the order of frames."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from artifacts.prediction.frame_order import is_blind_to_order


def _model(
    kind: str, *, count: int = 4, skip: int = 1, scale: float = 1.0, bias: float = 0.0
) -> keras.Model:
    keras.utils.set_random_seed(0)
    frames = keras.Input((count, 16, 16, 4), dtype="uint8", name="frames")
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


@pytest.mark.parametrize("kind", ["mean", "rnn"])
def test_long_clips_are_asked_about_a_few_at_a_time(kind: str) -> None:
    model, sizes = _model(kind, count=20, skip=2), []
    whole = model.predict_on_batch

    def counted(clips: np.ndarray) -> np.ndarray:
        sizes.append(len(clips))
        return whole(clips)

    model.predict_on_batch = counted
    assert is_blind_to_order(model) == (kind == "mean")
    assert max(sizes) <= 8
