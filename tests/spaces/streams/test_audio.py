"""The audio stream tells spectra apart and takes silence for what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from artifacts.models.trust import check_model_file
from spaces.streams.audio import POOLINGS, AudioBlock, scaled_log_mel

SHAPE = (3, 64, 40)
SILENCE = -15.94
SMALL = {"filters": 4, "stages": 3, "units": 8}


def _tones(bands: npt.NDArray[np.integer], seed: int) -> npt.NDArray[np.float16]:
    """Synthetic noise with one loud band a clip: float16 (len(bands), *SHAPE)."""
    energies = np.random.default_rng(seed).normal(-8, 2, (len(bands), *SHAPE))
    for clip, band in zip(energies, bands, strict=True):
        clip[:, band - 2 : band + 3] += 8
    return energies.astype(np.float16)


def _with_head(stream: keras.Model) -> keras.Model:
    y = keras.layers.Dense(1, activation="sigmoid", dtype="float32")(stream.output)
    model = keras.Model(stream.input, y)
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    return model


def test_the_defaults_give_one_embedding(build_block: Callable[..., Any]) -> None:
    model, hp = build_block(AudioBlock(), SHAPE, dtype="float16")
    names = ("filters", "stages", "units", "pooling")
    assert set(hp.values) == {f"audio/{name}" for name in names}
    found = np.asarray(model(_tones(np.array([20, 40]), seed=0)))
    assert found.shape == (2, 2 * hp.values["audio/units"])
    assert found.std() > 0


@pytest.mark.parametrize(("pooling", "features"), [("mean_max", 16), ("attention", 8)])
def test_pinned_choices_are_not_searched(
    build_block: Callable[..., Any], pooling: str, features: int
) -> None:
    model, hp = build_block(AudioBlock(**SMALL, pooling=pooling), SHAPE, dtype="float16")
    assert hp.space == []
    assert model.output_shape == (None, features)
    assert model.get_layer("audio_stage3_conv").filters == 16


def test_a_clip_of_one_frame_builds_and_asks_nothing_of_pooling(
    build_block: Callable[..., Any],
) -> None:
    model, hp = build_block(AudioBlock(), (1, 64, 40), dtype="float16")
    assert "audio/pooling" not in hp.values
    assert model.output_shape == (None, hp.values["audio/units"])


@pytest.mark.parametrize("stages", [2, 3, 4])
def test_every_depth_keeps_the_mels_apart(build_block: Callable[..., Any], stages: int) -> None:
    block = AudioBlock(filters=4, stages=stages, units=8, pooling="mean_max")
    model, _ = build_block(block, SHAPE, dtype="float16")
    _, frames, features = model.get_layer("audio_sequence").output.shape
    assert (frames, features) == (3, 64 // 2**stages * 4 * min(2 ** (stages - 1), 4))


def test_energies_are_scaled_to_about_unit_range() -> None:
    energies = keras.Input(SHAPE, dtype="float16")
    model = keras.Model(energies, scaled_log_mel(energies, name="audio"))
    values = np.array([SILENCE, -4.27, 0, 9.4], np.float16)
    scaled = np.asarray(model(np.broadcast_to(values[:, None, None, None], (4, *SHAPE))))
    assert scaled.shape == (4, *SHAPE, 1)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[:, 0, 0, 0, 0], [-1.277, 0, 0.467, 1.496], atol=1e-3)


@pytest.mark.parametrize("level", [SILENCE, 0.0], ids=["silence", "no sound track"])
def test_training_on_clips_without_sound_stays_finite(
    build_block: Callable[..., Any], level: float
) -> None:
    stream, _ = build_block(AudioBlock(**SMALL, pooling="attention"), SHAPE, dtype="float16")
    model = _with_head(stream)
    model.run_eagerly = True
    energies = np.full((4, *SHAPE), level, np.float16)
    for _ in range(3):
        assert np.isfinite(model.train_on_batch(energies, np.array([[0], [1], [0], [1]])))
    assert np.isfinite(np.asarray(model(energies))).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_it_learns_to_tell_two_spectra_apart(build_block: Callable[..., Any]) -> None:
    keras.utils.set_random_seed(0)
    stream, _ = build_block(AudioBlock(**SMALL, pooling="mean_max"), SHAPE, dtype="float16")
    model = _with_head(stream)
    labels = np.arange(32) % 2
    bands = np.where(labels, 48, 16)
    for _ in range(30):
        model.train_on_batch(_tones(bands, seed=1), labels[:, None])
    scores = np.asarray(model(_tones(bands, seed=2)))[:, 0]
    assert ((scores > 0.5) == labels).mean() > 0.9


@pytest.mark.usefixtures("mixed_precision")
def test_it_trains_in_mixed_precision(build_block: Callable[..., Any]) -> None:
    stream, _ = build_block(AudioBlock(**SMALL, pooling="attention"), SHAPE, dtype="float16")
    assert stream.get_layer("audio_embed").compute_dtype == "bfloat16"
    assert stream.get_layer("audio_scaled").compute_dtype == "float32"
    model = _with_head(stream)
    model.run_eagerly = True
    energies, labels = _tones(np.array([16, 48] * 4), seed=0), np.array([[0], [1]] * 4)
    losses = [model.train_on_batch(energies, labels) for _ in range(5)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_h5_reloads_with_stock_layers(
    build_block: Callable[..., Any], tmp_path: Path, pooling: str
) -> None:
    model, _ = build_block(AudioBlock(**SMALL, pooling=pooling), SHAPE, dtype="float16")
    path = tmp_path / "audio.h5"
    model.save(path, include_optimizer=False)
    check_model_file(path)
    again = keras.models.load_model(path, compile=False)
    energies = _tones(np.array([20, 40]), seed=0)
    np.testing.assert_allclose(again(energies), model(energies), atol=1e-6)


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(ValueError, match="Received: 'median'"):
        AudioBlock(pooling="median")


def test_the_stream_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    block = AudioBlock(**SMALL, pooling="attention", name="sound")
    again = come_back(block)
    assert again.get_config() == block.get_config()
    assert build_block(again, SHAPE, dtype="float16")[0].output_shape == (None, 8)
