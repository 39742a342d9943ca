"""Fusion makes one embedding of any number of streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from spaces.fusion import KINDS, FusionBlock

SHAPES = ((3,), (5,), (4,))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("streams", [1, 2, 3])
def test_streams_of_any_number_and_width_are_fused(
    build_block: Callable[..., Any], kind: str, streams: int
) -> None:
    model, hp = build_block(FusionBlock(), *SHAPES[:streams], values={"fusion/kind": kind})
    assert set(hp.values) == {"fusion/kind", "fusion/units"}
    units = hp.values["fusion/units"]
    assert model.output_shape == (None, units * (streams if kind == "concatenation" else 1))


def test_attention_mixes_the_streams_by_weights_that_sum_to_one(
    build_block: Callable[..., Any],
) -> None:
    model, _ = build_block(FusionBlock("attention", units=6), *SHAPES)
    inside = keras.Model(
        model.inputs,
        [model.get_layer(f"fusion_{name}").output for name in ("weights", "streams", "embedding")],
    )
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(2, *shape)).astype(np.float32) for shape in SHAPES]
    weights, streams, embedding = (np.asarray(value) for value in inside(x))
    assert weights.shape == (2, 3, 1)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose((weights * streams).sum(axis=1), embedding, atol=1e-5)


def test_pinned_choices_are_not_searched(build_block: Callable[..., Any]) -> None:
    model, hp = build_block(FusionBlock("concatenation", units=7), *SHAPES)
    assert hp.space == []
    assert model.output_shape == (None, 21)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="Received: 'gated'"):
        FusionBlock(kind="gated")


def test_fusion_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    block = FusionBlock("attention", units=7, name="mix")
    again = come_back(block)
    assert again.get_config() == block.get_config()
    assert build_block(again, *SHAPES)[0].output_shape == (None, 7)
