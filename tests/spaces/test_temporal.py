"""The temporal stage turns a sequence of frame embeddings into one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spaces.temporal import KINDS, TemporalBlock

SHAPE = (4, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_gives_one_embedding(build_block: Callable[..., Any], kind: str) -> None:
    model, hp = build_block(TemporalBlock(), SHAPE, values={"temporal/kind": kind})
    units = hp.values.get("temporal/units")
    assert model.output_shape == (None, 6 if kind == "mean" else 2 * units)
    assert np.isfinite(np.asarray(model(np.ones((2, *SHAPE), np.float32)))).all()


def test_only_a_recurrent_kind_asks_for_units_and_layers(build_block: Callable[..., Any]) -> None:
    _, asked = build_block(TemporalBlock(), SHAPE, values={"temporal/kind": "mean"})
    assert set(asked.values) == {"temporal/kind"}
    _, asked = build_block(TemporalBlock(), SHAPE, values={"temporal/kind": "bigru"})
    assert set(asked.values) == {"temporal/kind", "temporal/units", "temporal/layers"}


def test_pinned_choices_are_not_searched(build_block: Callable[..., Any]) -> None:
    model, hp = build_block(TemporalBlock("bigru", units=3, layers=2), SHAPE)
    assert hp.space == []
    assert model.output_shape == (None, 6)
    assert sum(layer.name.startswith("temporal_") for layer in model.layers) == 2


def test_recurrence_knows_the_order_of_frames_and_the_mean_does_not(
    build_block: Callable[..., Any],
) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1, *SHAPE)).astype(np.float32)
    shuffled = x[:, [2, 0, 3, 1]]
    mean, _ = build_block(TemporalBlock("mean"), SHAPE)
    np.testing.assert_allclose(mean(x), mean(shuffled), atol=1e-6)
    recurrent, _ = build_block(TemporalBlock("bilstm", units=8, layers=1), SHAPE)
    assert np.abs(np.asarray(recurrent(x)) - np.asarray(recurrent(shuffled))).max() > 1e-3


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="Received: 'transformer'"):
        TemporalBlock(kind="transformer")


def test_the_stage_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    block = TemporalBlock("bigru", units=3, layers=2, name="order")
    again = come_back(block)
    assert again.get_config() == block.get_config()
    assert build_block(again, SHAPE)[0].output_shape == (None, 6)
