"""The noise-residual stream sees noise and no content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from spaces.noise_residual import NoiseResidualBlock

Frames = npt.NDArray[np.uint8]
SHAPE = (5, 32, 32, 4)


def test_the_defaults_give_one_embedding(build_block: Callable[..., Any], clips: Frames) -> None:
    model, hp = build_block(NoiseResidualBlock(), SHAPE, dtype="uint8")
    names = ("frame_stride", "filters", "stages")
    assert set(hp.values) == {f"noise_residual/{name}" for name in names}
    assert np.asarray(model(clips)).shape == (2, 4 * hp.values["noise_residual/filters"])


def test_pinned_choices_are_not_searched(build_block: Callable[..., Any]) -> None:
    block = NoiseResidualBlock(filters=4, stages=2, frame_stride=1)
    model, hp = build_block(block, SHAPE, dtype="uint8")
    assert hp.space == []
    assert model.output_shape == (None, 8)


def test_a_smooth_picture_of_any_brightness_looks_the_same(
    build_block: Callable[..., Any],
) -> None:
    model, _ = build_block(NoiseResidualBlock(), SHAPE, dtype="uint8")
    slope = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8)
    dark = np.broadcast_to(slope[..., None], SHAPE)
    bright = dark + np.uint8(150)
    rng = np.random.default_rng(0)
    noisy = dark + rng.integers(0, 6, SHAPE, np.uint8)
    one, other, third = np.asarray(model(np.stack([dark, bright, noisy])))
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert np.abs(third - one).max() > 1e-3


def test_the_stream_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    block = NoiseResidualBlock(filters=4, stages=2, frame_stride=1, name="noise")
    again = come_back(block)
    assert again.get_config() == block.get_config()
    assert build_block(again, SHAPE, dtype="uint8")[0].output_shape == (None, 8)
