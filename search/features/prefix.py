"""The frozen prefix of a model: its end, its digest, and the models on both sides of the cut.

Everything before the first trainable or random layer gives the same output in every epoch of every
trial. All functions here take the flat form of a model, see :func:`flatten`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from spaces.keras_internals import (
    Functional,
    functional_of,
    has_random_state,
    nested_layers,
    node_of,
    nodes_in_order,
    run_operations,
    set_shape,
)

FLOPS_WORTH_A_BYTE = 64
SMALL = 4

_RATES = ("rate", "stddev", "dropout", "_dropout", "recurrent_dropout")
_NAMING = frozenset({"name", "trainable", "build_config", "registered_name"})


def flatten(model: keras.Model) -> keras.Model:
    """Return the model with nested models inlined: the same layers, called once more.

    So a backbone can be cut before its trainable part. The inputs are the used inputs of the model,
    with their names. A nested model stays whole if inlining could change its outputs or give two
    layers one name. The model itself is not changed.
    """
    inputs = [keras.Input(batch_shape=t.shape, dtype=t.dtype, name=t.name) for t in model.inputs]
    named = {operation.name: operation for operation in model.operations}
    outputs = keras.tree.flatten(_through(model, inputs, named))
    used = {id(tensor) for tensor in _above(outputs)}
    return keras.Model([tensor for tensor in inputs if id(tensor) in used], outputs[0])


def find_cuts(model: keras.Model) -> list[keras.KerasTensor]:
    """Return the tensors at which to cut a flat model: the last ones worth caching on every path.

    A tensor is cached if reading it is cheaper than computing it from inputs and other cached
    tensors. Computing then takes at least :data:`FLOPS_WORTH_A_BYTE` operations a byte, or reads
    inputs more than :data:`SMALL` times larger. Of small tensors a few cheap steps apart the first
    is cached, since it serves every model that continues from it. A path without such a tensor is
    cut at its input.
    """
    frozen: set[int] = set()
    border: set[int] = set()
    nodes = nodes_in_order(model)
    for node in nodes:
        known = {id(tensor) for tensor in node.input_tensors} & frozen
        if len(known) == len({id(tensor) for tensor in node.input_tensors}) and (
            not node.input_tensors or is_fixed(node.operation)
        ):
            frozen.update(id(tensor) for tensor in node.outputs)
        else:
            border |= known
    border |= {id(tensor) for tensor in model.outputs} & frozen

    # In order: a tensor that is cheap to compute from another cut is not cached, too.
    found: dict[int, keras.KerasTensor] = {}
    for tensor in [tensor for node in nodes for tensor in node.outputs if id(tensor) in border]:
        stack, seen = [tensor], {id(tensor)}
        while stack:
            current = stack.pop()
            parents = node_of(current).input_tensors
            if not parents or _is_cut(current, found):
                found[id(current)] = current
            else:
                above = [parent for parent in parents[::-1] if id(parent) not in seen | set(found)]
                stack += above
                seen.update(map(id, above))
    # A later cut may make an earlier one cheap to compute; it is then not cached.
    for tensor in list(found.values()):
        others = {at: other for at, other in found.items() if at != id(tensor)}
        if _is_covered(tensor, others) and not _is_worth_keeping(tensor, others):
            del found[id(tensor)]
    return list(found.values())


def inputs_of(tensor: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Return the inputs of a flat model that a tensor depends on, in a fixed order."""
    return [above for above in _above([tensor]) if is_input(above)]


def is_input(tensor: keras.KerasTensor) -> bool:
    """Return whether a tensor of a flat model is one of its inputs."""
    return not node_of(tensor).input_tensors


def model_before(tensor: keras.KerasTensor) -> keras.Model:
    """Return the part of a flat model that computes a tensor from its :func:`inputs_of`."""
    return keras.Model(inputs_of(tensor), tensor)


def model_behind(
    model: keras.Model, tensors: Sequence[keras.KerasTensor], names: Sequence[str]
) -> keras.Model:
    """Return the part of a flat model after some of its tensors, with the same layers.

    Layers are called once more on new inputs: ``keras.Model`` on tensors inside a graph rewrites
    the nodes of that graph, and then the whole model may no longer save.

    Args:
        model: A flat model.
        tensors: Tensors on every path from its inputs.
        names: Name of each tensor. Tensors of one name are equal and become one input.

    Returns:
        A model with one input for each name, in the order of the names.
    """
    inputs: dict[str, keras.KerasTensor] = {}
    known: dict[int, keras.KerasTensor] = {}
    for name, tensor in zip(names, tensors, strict=True):
        if name not in inputs:
            inputs[name] = keras.Input(
                batch_shape=tensor.shape, dtype=tensor.dtype, name=f"cut{len(inputs) + 1}"
            )
        known[id(tensor)] = inputs[name]
    needed = {id(tensor) for tensor in _above(model.outputs, until=known)}
    for node in nodes_in_order(model):
        wanted = [tensor for tensor in node.outputs if id(tensor) in needed]
        if any(id(tensor) not in known for tensor in wanted):
            args, kwargs = node.arguments.fill_in(known)
            answers = keras.tree.flatten(node.operation(*args, **kwargs))
            for old, new in zip(node.outputs, answers, strict=True):
                known.setdefault(id(old), new)
    return keras.Model(list(inputs.values()), known[id(model.outputs[0])])


def digest(tensor: keras.KerasTensor) -> str:
    """Return the digest of a tensor of a flat model: everything that computes it, and its wiring.

    Layers count with their kind, settings, dtype policies and weights, inputs with their names,
    shapes and dtypes. Names of layers are excluded, so that trials that build the same prefix share
    its features.
    """
    known: dict[int, str] = {}
    for above in _above([tensor]):
        node = node_of(above)
        if id(above) in known:
            continue
        own = _input_digest(above) if is_input(above) else _call_digest(node, known)
        for number, output in enumerate(node.outputs):
            text = f"{own}/{number}/{output.shape[1:]}/{output.dtype}"
            known[id(output)] = hashlib.sha256(text.encode()).hexdigest()
    return known[id(tensor)]


def is_fixed(operation: Any) -> bool:
    """Return whether an operation gives the same output for the same input in every training step.

    This includes layers inside wrappers and nested models. Layers that make masks are left to the
    trained part: a mask is no output, and would be lost at the cut.
    """
    if not isinstance(operation, keras.Layer) or operation.trainable_weights:
        return False
    return all(map(_is_inert, nested_layers(operation)))


def _is_inert(layer: keras.Layer) -> bool:
    if isinstance(layer, keras.layers.BatchNormalization):
        return not layer.trainable
    if isinstance(layer, keras.layers.SpectralNormalization | keras.layers.Masking):
        return False
    if getattr(layer, "mask_zero", False) or getattr(layer, "stateful", False):
        return False
    if has_random_state(layer):
        rates = [getattr(layer, rate) for rate in _RATES if hasattr(layer, rate)]
        return bool(rates) and not any(rates)
    return True


def _through(
    model: keras.Model, inputs: Any, named: dict[str, Any]
) -> keras.KerasTensor | list[keras.KerasTensor]:
    """Call the operations of a model on inputs, those of nested models one by one."""

    def call_of(operation: Any) -> Any:
        nested = functional_of(operation) if isinstance(operation, keras.Sequential) else operation

        def call(*args: Any, **kwargs: Any) -> Any:
            # Keras itself adds mask=None.
            has_arguments = len(args) != 1 or any(value is not None for value in kwargs.values())
            whole = has_arguments or not isinstance(nested, Functional)
            if whole or not _can_inline(nested, args[0], named):
                return _shaped(operation(*args, **kwargs), operation, *args, **kwargs)
            named.update((inner.name, inner) for inner in _inner(nested))
            return _through(nested, args[0], named)

        return call

    return run_operations(model, inputs, call_of)


def _shaped(outputs: Any, operation: Any, *args: Any, **kwargs: Any) -> Any:
    """Return the outputs of a layer; complete their unknown shapes by tracing it."""
    answers = keras.tree.flatten(outputs)
    if any(None in tensor.shape[1:] for tensor in answers):
        traced = keras.tree.flatten(keras.Operation.compute_output_spec(operation, *args, **kwargs))
        for tensor, found in zip(answers, traced, strict=True):
            set_shape(tensor, (tensor.shape[0], *found.shape[1:]))
    return outputs


def _can_inline(nested: Functional, inputs: Any, named: dict[str, Any]) -> bool:
    """Return whether the inputs are not cast and all names of inner layers are unique."""
    given = keras.tree.flatten(inputs)
    uncast = [(tensor.dtype, len(tensor.shape)) for tensor in given] == [
        (tensor.dtype, len(tensor.shape)) for tensor in nested.inputs
    ]
    return uncast and all(named.get(inner.name, inner) is inner for inner in _inner(nested))


def _inner(nested: Functional) -> list[Any]:
    return [op for op in nested.operations if not isinstance(op, keras.layers.InputLayer)]


def _above(
    tensors: Iterable[keras.KerasTensor], until: Collection[int] = ()
) -> list[keras.KerasTensor]:
    """Return tensors and all tensors they depend on, each after its own dependencies.

    Args:
        tensors: Tensors of one graph.
        until: Ids of tensors at which to stop.
    """
    found: dict[int, keras.KerasTensor] = {}
    stack = [(tensor, False) for tensor in list(tensors)[::-1]]
    while stack:
        tensor, complete = stack.pop()
        if id(tensor) in found:
            continue
        parents = [] if id(tensor) in until else node_of(tensor).input_tensors
        if complete or not parents:
            found[id(tensor)] = tensor
        else:
            stack.append((tensor, True))
            stack += [(parent, False) for parent in parents[::-1]]
    return list(found.values())


def _is_cut(tensor: keras.KerasTensor, cut: Mapping[int, keras.KerasTensor]) -> bool:
    known = all(None not in above.shape[1:] for above in [tensor, *node_of(tensor).input_tensors])
    return known and _is_worth_keeping(tensor, cut) and not _is_better_cut_above(tensor)


def _is_worth_keeping(tensor: keras.KerasTensor, cut: Mapping[int, keras.KerasTensor]) -> bool:
    """Return whether a tensor should be cut as well, if others are."""
    size = size_of(tensor)
    kept = {at for at, other in cut.items() if not is_input(other)}
    between = [above for above in _above([tensor], until=kept) if id(above) not in kept]
    passed = sum(size_of(above) for above in between if is_input(above))
    nodes = {id(node_of(above)): node_of(above) for above in between}
    return SMALL * size < passed or sum(map(_flops, nodes.values())) >= FLOPS_WORTH_A_BYTE * size


def _is_covered(tensor: keras.KerasTensor, cut: Mapping[int, keras.KerasTensor]) -> bool:
    """Return whether a tensor is computed from cuts alone, and from no input."""
    kept = {at for at, other in cut.items() if not is_input(other)}
    above = _above([tensor], until=kept)
    return not any(is_input(one) for one in above if id(one) not in kept)


def _is_better_cut_above(tensor: keras.KerasTensor) -> bool:
    """Return whether the tensors that a tensor is made from make the better cut.

    Padding and similar layers enlarge a tensor at no cost. If both are small and the step between
    them is cheap, the earlier tensor serves more models.
    """
    node, size = node_of(tensor), size_of(tensor)
    above = sum(map(size_of, node.input_tensors))
    if above < size and not node.operation.weights:
        return True
    passed = sum(map(size_of, inputs_of(tensor)))
    cheap = len(node.input_tensors) == 1 and _flops(node) < FLOPS_WORTH_A_BYTE * size
    return cheap and SMALL * above < passed


def size_of(tensor: keras.KerasTensor) -> int:
    """Return the bytes of a tensor for one clip."""
    return math.prod(tensor.shape[1:]) * np.dtype(tensor.dtype).itemsize


def _flops(node: Any) -> float:
    """Return the approximate number of operations of a convolution or dense layer for one clip."""
    weights = node.operation.weights
    largest = max((math.prod(weight.shape) for weight in weights), default=0)
    return 2.0 * largest * math.prod(node.outputs[0].shape[1:-1])


def _input_digest(tensor: keras.KerasTensor) -> str:
    return f"input {tensor.name}"


def _call_digest(node: Any, known: dict[int, str]) -> str:
    """Return the digest of a layer and of its arguments."""
    layer = node.operation

    def argument(value: Any) -> Any:
        return known[id(value)] if isinstance(value, keras.KerasTensor) else repr(value)

    described = [
        f"{type(layer).__module__}.{type(layer).__qualname__}",
        _nameless(layer.get_config()),
        [inner.dtype_policy.name for inner in nested_layers(layer)],
        keras.tree.map_structure(argument, [list(node.arguments.args), node.arguments.kwargs]),
    ]
    made = hashlib.sha256(json.dumps(described, sort_keys=True, default=repr).encode())
    for weight in layer.weights:
        made.update(f"{weight.shape}{weight.dtype}".encode())
        made.update(keras.ops.convert_to_numpy(weight).tobytes())
    return made.hexdigest()


def _nameless(config: Any) -> Any:
    """Return a configuration without names at any depth; dtype policies are digested separately."""
    if isinstance(config, dict):
        return {key: _nameless(value) for key, value in config.items() if key not in _NAMING}
    if isinstance(config, list | tuple):
        return [_nameless(value) for value in config]
    return config
