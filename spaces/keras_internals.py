"""Every private part of Keras that the project uses.

Keras has no public way to walk the graph of a functional model, to call its operations one by one,
to reach the layers inside wrappers and nested models, or to use an HDF5 file that is already open.
All private names are used here only: if an upgrade moves one, it is repaired in one place.
``tests/spaces/test_keras_internals.py`` uses them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h5py
import keras
from keras.src.legacy.saving import legacy_h5_format
from keras.src.models import Functional as Functional


def nested_layers(layer: keras.Layer, *, include_self: bool = True) -> list[keras.Layer]:
    """Return a layer with all layers inside it, at any depth, those of wrappers included."""
    return list(layer._flatten_layers(include_self=include_self))


def operation_of(tensor: keras.KerasTensor) -> Any:
    """Return the operation whose call returned a symbolic tensor."""
    return tensor._keras_history.operation


def node_of(tensor: keras.KerasTensor) -> Any:
    """Return the call that returned a symbolic tensor.

    A node has ``operation``, ``arguments``, ``input_tensors`` and ``outputs``.
    """
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def call_nodes(operation: keras.Operation) -> list[Any]:
    """Return all calls of an operation, in every model that it is part of."""
    return list(operation._inbound_nodes)


def is_used(tensor: keras.KerasTensor) -> bool:
    """Return whether any operation takes the outputs of the operation that gave a tensor."""
    return bool(operation_of(tensor)._outbound_nodes)


def nodes_in_order(model: keras.Model) -> list[Any]:
    """Return the calls of a functional model, each after those whose outputs it takes."""
    depths = model._nodes_by_depth
    return [node for depth in sorted(depths, reverse=True) for node in depths[depth]]


def run_operations(model: keras.Model, inputs: Any, call_of: Callable[[Any], Any]) -> Any:
    """Call the operations of a functional model in order, each by the function made of it.

    Args:
        model: A functional model.
        inputs: Its inputs, symbolic or not.
        call_of: Returns, for an operation, the function to call in its place.
    """
    return model._run_through_graph(inputs, operation_fn=call_of)


def functional_of(model: keras.Sequential) -> Functional:
    """Return the functional model inside a sequential one that is built."""
    return model._functional


def has_random_state(layer: keras.Layer) -> bool:
    """Return whether a layer draws random numbers."""
    return bool(layer._seed_generators)


def set_shape(tensor: keras.KerasTensor, shape: tuple[int | None, ...]) -> None:
    """Replace the shape of a symbolic tensor that its layer left incomplete."""
    tensor._shape = shape


def averages_of(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """Return the moving averages of the weights; the optimizer is built and ``use_ema`` is set."""
    return list(optimizer._model_variables_moving_average)


def write_h5(model: keras.Model, file: h5py.File) -> None:
    """Write a model without optimizer to an open file; Keras itself would open it with a lock."""
    legacy_h5_format.save_model_to_hdf5(model, file, include_optimizer=False)


def read_h5(file: h5py.File) -> keras.Model:
    """Read a model from an open file, in safe mode and not compiled; see :func:`write_h5`."""
    return legacy_h5_format.load_model_from_hdf5(file, compile=False, safe_mode=True)
