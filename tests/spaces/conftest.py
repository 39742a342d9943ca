"""Clips to feed blocks with, and a way to build one block as a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import autokeras as ak
import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import pytest

Built = tuple[keras.Model, keras_tuner.HyperParameters]


@pytest.fixture(scope="session")
def clips() -> npt.NDArray[np.uint8]:
    """Two clips of five noisy frames: uint8 (2, 5, 32, 32, 4), the last channel the mean."""
    rng = np.random.default_rng(7)
    rgb = rng.integers(0, 256, (2, 5, 32, 32, 3), np.uint8)
    return np.concatenate([rgb, rgb.mean(axis=-1, keepdims=True).astype(np.uint8)], axis=-1)


@pytest.fixture(scope="session")
def build_block() -> Callable[..., Built]:
    """Build a block as a model: ``build_block(block, *shapes, values={}, dtype="float32")``."""

    def build(
        block: ak.Block,
        *shapes: tuple[int, ...],
        values: dict[str, Any] | None = None,
        dtype: str = "float32",
    ) -> Built:
        hp = keras_tuner.HyperParameters()
        hp.values.update(values or {})
        inputs = [keras.Input(shape, dtype=dtype) for shape in shapes]
        inputs = inputs if len(inputs) > 1 else inputs[0]
        return keras.Model(inputs, block.build(hp, inputs)), hp

    return build


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    """Layers of this test compute in bfloat16."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.fixture(scope="session")
def come_back() -> Callable[[Any], Any]:
    """Serialise an object as Keras would into a file, and make it anew from that."""

    def through_json(thing: Any) -> Any:
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(thing))
        assert type(again) is type(thing)
        assert again is not thing
        return again

    return through_json
