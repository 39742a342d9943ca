"""Attention pooling: a weighted sum of vectors, with learned weights."""

from __future__ import annotations

import keras


def attention_pool(x: keras.KerasTensor, *, units: int, name: str) -> keras.KerasTensor:
    """Sum vectors by weights that a small network computes from each of them.

    A score is ``v . tanh(W x + b)``, and the scores' softmax weighs the sum (Yang et al.,
    Hierarchical Attention Networks for Document Classification, 2016). The layer
    ``<name>_weights`` gives the weights, float32 (batch, N), whatever the dtype policy: half
    precision would round them.

    Args:
        x: float (batch, N, F), N known.
        units: Width of the hidden layer that scores.
        name: Prefix of the layers.

    Returns:
        float (batch, F).
    """
    score = keras.layers.Dense(units, activation="tanh", name=f"{name}_query")(x)
    score = keras.layers.Dense(1, use_bias=False, dtype="float32", name=f"{name}_score")(score)
    score = keras.layers.Reshape((x.shape[1],), dtype="float32", name=f"{name}_scores")(score)
    weights = keras.layers.Softmax(dtype="float32", name=f"{name}_weights")(score)
    return keras.layers.Dot(axes=1, name=f"{name}_embedding")([weights, x])
