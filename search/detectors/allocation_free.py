"""A Keras state in which a detector can be built without allocating its weights.

An estimate needs the layers of a detector and the shapes of its weights, but must not take the
memory that it is to protect. Inside a TensorFlow graph a variable is a name and a shape. Keras has
no switch for the rest: code that loads or copies weights would read values that do not exist. So
three methods of Keras and the cache of pretrained networks are replaced for the length of a block.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from spaces.backbones import pretrained


@contextlib.contextmanager
def avoid_allocation() -> Iterator[None]:
    """Build without values: layers in the block have only names and shapes."""
    # The owner holds each attribute itself: an inherited one could not be put back.
    originals = [(owner, name, vars(owner)[name]) for owner, name, _ in _REPLACED]
    with tf.Graph().as_default():
        try:
            for owner, name, replacement in _REPLACED:
                setattr(owner, name, replacement)
            yield
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)


def _zeros(layer: keras.Layer) -> list[Any]:
    """Return zeros in the shapes of a layer's weights; each array holds one number."""
    return [np.broadcast_to(np.zeros((), np.float32), tuple(w.shape)) for w in layer.weights]


def _nothing(*_: Any, **__: Any) -> None:
    """Take any values and keep none."""


_REPLACED: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
    (keras.Layer, "get_weights", _zeros),
    (keras.Layer, "set_weights", _nothing),
    (keras.Model, "load_weights", _nothing),
    # A network without values must not stay in the cache for builds that need the values.
    (pretrained, "pretrained", pretrained.pretrained.__wrapped__),
)
