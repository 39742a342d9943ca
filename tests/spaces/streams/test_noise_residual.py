"""The noise-residual stream sees noise and no content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import optuna
import pytest

from artifacts.models.saved import plain_copy
from artifacts.models.trust import check_model_file
from search.studies.hyperparameters import OptunaHyperParameters
from spaces.streams.noise_residual import (
    KERNELS,
    READINGS,
    NoiseResidualBlock,
    frequency_statistics,
    local_energy,
    pool_cells,
)

Frames = npt.NDArray[np.uint8]
SHAPE = (5, 32, 32, 4)
OWN: dict[str, Any] = {
    "learned_filters": 3,
    "filters": 4,
    "stages": 2,
    "frame_stride": 1,
    "reading": "truncated",
    "grid": 1,
}


def test_the_defaults_give_one_embedding(build_block: Callable[..., Any], clips: Frames) -> None:
    model, hp = build_block(NoiseResidualBlock(), SHAPE, dtype="uint8")
    assert hp.values == {
        "noise_residual/kernels": "srm3",
        "noise_residual/statistics": False,
        "noise_residual/frame_stride": 4,
        "noise_residual/filters": 16,
        "noise_residual/stages": 3,
        "noise_residual/reading": "truncated",
        "noise_residual/grid": 4,
    }
    assert np.asarray(model(clips)).shape == (2, 4 * 4 * 64)


def test_only_learned_kernels_are_counted(build_block: Callable[..., Any]) -> None:
    values = {"noise_residual/kernels": "learned"}
    model, hp = build_block(NoiseResidualBlock(), SHAPE, values=values, dtype="uint8")
    assert hp.values["noise_residual/learned_filters"] == 3
    assert model.get_layer("noise_residual_learned").kernel.shape == (1, 5, 5, 1, 3)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize(("kernels", "count"), [("srm3", 3), ("srm30", 30), ("learned", 3)])
def test_pinned_choices_are_not_searched(
    build_block: Callable[..., Any], kernels: str, count: int, statistics: bool, reading: str
) -> None:
    block = NoiseResidualBlock(kernels, statistics=statistics, **OWN | {"reading": reading})
    model, hp = build_block(block, SHAPE, dtype="uint8")
    assert hp.space == []
    assert model.output_shape == (None, 8 + 63 * statistics)
    assert model.get_layer(f"noise_residual_{kernels}").output.shape == (None, 5, 28, 28, count)


def test_one_study_can_ask_every_kind(build_block: Callable[..., Any]) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    chosen = set()
    for _ in range(12):
        trial = study.ask()
        NoiseResidualBlock().build(OptunaHyperParameters(trial), keras.Input(SHAPE, dtype="uint8"))
        study.tell(trial, 0.0)
        kernels = trial.params["noise_residual/kernels"]
        chosen.add(kernels)
        counted = "noise_residual/learned_filters" in trial.params
        assert counted == (kernels == "learned")
    assert chosen == set(KERNELS)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize("shape", [(1, 32, 32, 4), (2, 32, 32, 4), (3, 45, 45, 4), (2, 8, 8, 4)])
def test_stills_short_clips_and_small_crops_build(
    build_block: Callable[..., Any], shape: tuple[int, ...], statistics: bool, reading: str
) -> None:
    block = NoiseResidualBlock(
        "srm30", statistics=statistics, stages=4, frame_stride=4, reading=reading
    )
    model, _ = build_block(block, shape, dtype="uint8")
    found = np.asarray(model(np.zeros((1, *shape), np.uint8)))
    assert np.isfinite(found).all()


def test_frames_smaller_than_a_block_are_refused(build_block: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"frames of 8 px or more; prepare .* Received: 6 x 6"):
        build_block(NoiseResidualBlock(), (2, 6, 6, 4), dtype="uint8")


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("statistics", [False, True])
@pytest.mark.parametrize("kernels", KERNELS)
def test_the_brightness_of_a_picture_is_not_seen_and_its_noise_is(
    build_block: Callable[..., Any], kernels: str, statistics: bool, reading: str
) -> None:
    block = NoiseResidualBlock(kernels, statistics=statistics, reading=reading)
    model, _ = build_block(block, SHAPE, dtype="uint8")
    slope = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8)
    dark = np.broadcast_to(slope[..., None], SHAPE)
    bright = dark + np.uint8(150)
    rng = np.random.default_rng(0)
    noisy = dark + rng.integers(0, 6, SHAPE, np.uint8)
    one, other, third = np.asarray(model(np.stack([dark, bright, noisy])))
    np.testing.assert_allclose(one, other, atol=1e-4)
    assert np.abs(third - one).max() > 1e-3


@pytest.mark.parametrize("kernels", ["srm3", "srm30"])
def test_residuals_are_truncated_at_three_grey_levels(
    build_block: Callable[..., Any], kernels: str
) -> None:
    model, _ = build_block(NoiseResidualBlock(kernels, **OWN), SHAPE, dtype="uint8")
    residual = keras.Model(model.inputs[0], model.get_layer("noise_residual_stage1_conv").input)
    found = []
    for height in (2, 3, 200):
        clip = np.zeros((1, *SHAPE), np.uint8)
        clip[:, :, 16, 16] = height
        found.append(np.asarray(residual(clip)))
    assert found[0].min() == pytest.approx(-2 / 3, abs=1e-5)
    assert found[1].min() == found[2].min() == -1
    assert found[2].max() == 1


def test_energy_tells_levels_of_noise_apart_that_truncation_makes_alike() -> None:
    x = keras.Input((1, 8, 8, 1))
    model = keras.Model(x, local_energy(x, name="e"))
    rough = np.indices((8, 8)).sum(axis=0) % 2 * 2.0 - 1
    found = np.asarray(model(rough[None, None, :, :, None] * np.array([[[[[1.0]]]], [[[[3.0]]]]])))
    assert found.shape == (2, 1, 2, 2, 1)
    np.testing.assert_allclose(found[0], 1 / 2, atol=1e-6)
    np.testing.assert_allclose(found[1], 9 / 10, atol=1e-6)


@pytest.mark.parametrize(("grid", "side", "cells"), [(1, 8, 1), (2, 8, 2), (4, 8, 4), (4, 7, 4)])
def test_cells_are_means_of_their_own_place(grid: int, side: int, cells: int) -> None:
    x = keras.Input((3, side, side, 1))
    model = keras.Model(x, pool_cells(x, grid, name="c"))
    clip = np.zeros((1, 3, side, side, 1), np.float32)
    assert model.output_shape == (None, cells**2)
    clip[:, :, -1, -1] = 1
    found = np.asarray(model(clip))[0]
    last = side - (cells - 1) * -(-side // cells)
    assert found[-1] == pytest.approx(1 / last**2)
    assert not found[:-1].any()


@pytest.mark.parametrize("reading", READINGS)
def test_it_learns_where_the_noise_of_any_camera_is_missing(reading: str) -> None:
    rng = np.random.default_rng(3)
    labels = np.arange(96) % 2
    level = rng.uniform(2, 6, (96, 1, 1, 1)) * np.ones((96, 2, 32, 32))
    level[labels == 1, :, 8:24, 8:24] *= 0.2
    grey = 128 + level * rng.normal(size=level.shape)
    frames = np.clip(grey, 0, 255).astype(np.uint8)[..., None].repeat(4, axis=-1)
    keras.utils.set_random_seed(1)
    clip = keras.Input(frames.shape[1:], dtype="uint8")
    own = OWN | {"reading": reading, "grid": 4, "stages": 1}
    embedding = NoiseResidualBlock("srm3", statistics=False, **own).build(
        keras_tuner.HyperParameters(), clip
    )
    model = keras.Model(clip, keras.layers.Dense(1, activation="sigmoid")(embedding))
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit(frames[:64], labels[:64], batch_size=8, epochs=5, verbose=0)
    found = model.predict(frames[64:], verbose=0)[:, 0] > 0.5
    assert (found == labels[64:]).mean() >= 0.9


def test_frequency_statistics_rise_with_the_energy_of_their_frequency() -> None:
    x = keras.Input((2, 16, 16, 1))
    model = keras.Model(x, frequency_statistics(x, name="s"))
    # Wave number 4 of 8 along rows alone is the coefficient of place 4, the mean left out.
    wave = np.cos(np.pi / 8 * 4 * (np.arange(16) % 8 + 0.5))
    clip = np.broadcast_to(wave[:, None], (2, 16, 16))[None, ..., None]
    flat, weak, strong, usual = np.asarray(
        model(np.concatenate([0 * clip + 90, clip, 10 * clip, 1e4 * clip]))
    )
    np.testing.assert_allclose(flat, 0, atol=1e-5)
    vertical = 8 * 4 - 1
    for found in (weak, strong):
        assert found.argmax() == vertical
        assert np.delete(found, vertical).max() < 1e-4
    assert 0.01 < weak[vertical] < strong[vertical] < usual[vertical] <= 1
    # Softsign of an energy: a hundred times the energy is a hundred times the odds.
    odds = [value[vertical] / (1 - value[vertical]) for value in (weak, strong)]
    assert odds[1] / odds[0] == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("kernels", KERNELS)
def test_the_h5_of_a_plain_copy_opens_with_stock_keras_and_predicts_the_same(
    build_block: Callable[..., Any], clips: Frames, tmp_path: Path, kernels: str, reading: str
) -> None:
    own = OWN | {"reading": reading, "grid": 4}
    block = NoiseResidualBlock(kernels, statistics=True, **own)
    model, _ = build_block(block, SHAPE, dtype="uint8")
    model.compile("adam", "mean_squared_error", run_eagerly=True)
    model.train_on_batch(clips, np.ones((2, *model.output_shape[1:])))
    exported = plain_copy(model)
    path = tmp_path / "model.h5"
    exported.save(path, include_optimizer=False)
    check_model_file(path)
    again = keras.models.load_model(path, compile=False)
    np.testing.assert_allclose(np.asarray(again(clips)), np.asarray(model(clips)), atol=1e-5)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("kernels", KERNELS)
def test_it_trains_in_mixed_precision_on_exact_residuals(
    build_block: Callable[..., Any], clips: Frames, kernels: str, reading: str
) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        block = NoiseResidualBlock(kernels, statistics=True, **OWN | {"reading": reading})
        model, _ = build_block(block, SHAPE, dtype="uint8")
        model.compile("adam", "mean_squared_error", run_eagerly=True)
        loss = model.train_on_batch(clips, np.ones((2, *model.output_shape[1:])))
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(loss)
    assert model.get_layer(f"noise_residual_{kernels}").compute_dtype == "float32"
    assert model.get_layer("noise_residual_statistics_compressed").compute_dtype == "float32"
    if reading == "energy":
        assert model.get_layer("noise_residual_energy").compute_dtype == "float32"
    assert model.get_layer("noise_residual_stage1_conv").compute_dtype == "bfloat16"


@pytest.mark.parametrize("kernels", KERNELS)
def test_it_learns_to_tell_synthetic_clips_with_and_without_sensor_noise(kernels: str) -> None:
    rng = np.random.default_rng(4)
    shape = (2, 32, 32)
    rough = rng.normal(0, 1, (48, 1, 4, 4)).repeat(8, axis=2).repeat(8, axis=3)
    smooth = sum(np.roll(rough, (y, x), (2, 3)) for y in range(8) for x in range(8))
    noisy = np.arange(48) % 2
    grey = 128 + smooth + 3 * noisy[:, None, None, None] * rng.normal(size=(48, *shape))
    frames = np.clip(grey, 0, 255).astype(np.uint8)[..., None].repeat(4, axis=-1)
    keras.utils.set_random_seed(1)
    clip = keras.Input((*shape, 4), dtype="uint8")
    block = NoiseResidualBlock(kernels, statistics=False, **OWN)
    embedding = block.build(keras_tuner.HyperParameters(), clip)
    model = keras.Model(clip, keras.layers.Dense(1, activation="sigmoid")(embedding))
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit(frames[:32], noisy[:32], batch_size=8, epochs=8, verbose=0)
    found = model.predict(frames[32:], verbose=0)[:, 0] > 0.5
    assert (found == noisy[32:]).mean() >= 0.9


def test_unknown_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"kernels must be of .*Received: 'median'"):
        NoiseResidualBlock(kernels="median")


def test_an_unknown_reading_is_refused() -> None:
    with pytest.raises(ValueError, match=r"reading must be of .*Received: 'sign'"):
        NoiseResidualBlock(reading="sign")


def test_the_stream_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    block = NoiseResidualBlock("learned", statistics=True, name="noise", **OWN)
    again = come_back(block)
    assert again.get_config() == block.get_config()
    model, hp = build_block(again, SHAPE, dtype="uint8")
    assert hp.space == []
    assert model.output_shape == (None, 71)
