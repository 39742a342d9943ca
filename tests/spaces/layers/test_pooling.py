"""Attention pooling sums vectors by weights that can be read."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
import pytest

from spaces.layers.pooling import attention_pool


@pytest.fixture
def vectors() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)


def _pool() -> keras.Model:
    """Five vectors of three to their weights and their sum."""
    x = keras.Input((5, 3))
    y = attention_pool(x, units=6, name="pool")
    whole = keras.Model(x, y)
    return keras.Model(x, [whole.get_layer("pool_weights").output, y])


def test_the_sum_is_weighed_by_the_softmax_of_the_scores(
    vectors: npt.NDArray[np.float32],
) -> None:
    model = _pool()
    kernel, bias = model.get_layer("pool_query").get_weights()
    (vector,) = model.get_layer("pool_score").get_weights()
    scores = np.exp(np.tanh(vectors @ kernel + bias) @ vector)[..., 0]
    expected = scores / scores.sum(axis=1, keepdims=True)
    weights, embedding = map(np.asarray, model(vectors))
    assert weights.std() > 0.01
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    np.testing.assert_allclose(
        embedding, (expected[..., None] * vectors).sum(axis=1), rtol=1e-5, atol=1e-6
    )


def test_order_does_not_matter(vectors: npt.NDArray[np.float32]) -> None:
    model = _pool()
    weights, embedding = map(np.asarray, model(vectors))
    backward_weights, backward = map(np.asarray, model(vectors[:, ::-1]))
    np.testing.assert_allclose(backward_weights[:, ::-1], weights, atol=1e-6)
    np.testing.assert_allclose(backward, embedding, atol=1e-6)


@pytest.mark.usefixtures("mixed_precision")
def test_half_precision_does_not_round_the_weights(vectors: npt.NDArray[np.float32]) -> None:
    weights, embedding = _pool()(vectors)
    assert weights.dtype == "float32"
    assert embedding.dtype == "bfloat16"
    np.testing.assert_allclose(np.asarray(weights).sum(axis=1), 1, atol=1e-6)
