"""A detector run layer by layer, so that inner tensors can be inspected.

The layers of the model itself are called. ``keras.Model`` on tensors inside a graph would rewrite
that graph's nodes, and the model might no longer save.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import keras
import numpy.typing as npt
import tensorflow as tf

from spaces.keras_internals import Functional, operation_of, run_operations

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""Of n clips, by the names of a detector's inputs, and maybe more."""

Look: TypeAlias = Callable[[Any, Any], Any]


def logits(
    model: keras.Model, inputs: Mapping[str, tf.Tensor], look: Look | None = None
) -> tf.Tensor:
    """Return the logit of fake of each clip, float32 (n,): the input of the sigmoid.

    A saturated sigmoid has no gradient and no digits left; its logit has both. The last layer of a
    detector is calibrated, and so is this.

    Args:
        model: a detector, or several as one (:mod:`artifacts.models.ensemble`).
        inputs: arrays by the names of the model's inputs, and maybe more; first axis n.
        look: called with every layer and its output, returns the input of the next layers. Members
            of an ensemble are entered, a backbone is one layer.

    Raises:
        ValueError: the model does not end in a dense layer with a sigmoid.
    """
    last = operation_of(model.outputs[0])
    if not isinstance(last, keras.layers.Dense) or last.activation is not keras.activations.sigmoid:
        raise ValueError(f"the model {model.name} does not end in a dense layer with a sigmoid")
    given = [inputs[tensor.name] for tensor in model.inputs]
    return keras.tree.flatten(_through(model, given, look or _unchanged, last))[0][:, 0]


def is_entered(operation: Any) -> bool:
    """Return whether a layer is a whole detector inside another, whose layers are visited."""
    return isinstance(operation, Functional) and len(operation.outputs[0].shape) == 2


def _through(model: keras.Model, inputs: Any, look: Look, last: Any) -> Any:
    def call_of(operation: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if operation is last:
                x = tf.cast(args[0], tf.float32)
                return tf.matmul(x, operation.kernel) + operation.bias
            if is_entered(operation):
                value = _through(operation, args[0], look, last)
            else:
                value = operation(*args, **kwargs)
            return look(operation, value)

        return call

    return run_operations(model, inputs, call_of)


def _unchanged(operation: Any, value: Any) -> Any:
    return value
