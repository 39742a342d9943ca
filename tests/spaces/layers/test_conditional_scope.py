"""A stride is offered where it leaves a clip of several frames, and its answers differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from spaces.layers.conditional_scope import strides_for
from spaces.streams.noise_residual import NoiseResidualBlock


@pytest.mark.parametrize(
    ("frames", "strides"), [(1, [1]), (2, [1]), (3, [1, 2]), (4, [1, 2]), (5, [1, 2, 4])]
)
def test_a_stride_leaves_two_frames(frames: int, strides: list[int]) -> None:
    assert strides_for(frames, (1, 2, 4)) == strides


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_noise_is_not_asked_for_a_stride_without_effect(
    build_block: Callable[..., Any], frames: int
) -> None:
    model, hp = build_block(NoiseResidualBlock(), (frames, 32, 32, 4), dtype="uint8")
    assert "noise_residual/frame_stride" not in hp.values
    seen = model.get_layer("noise_residual_grey").output.shape[1]
    assert seen == max(1, frames // 2)
