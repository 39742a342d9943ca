"""Frozen prefixes: what cannot change in training is computed once and read from disk.

Everything before the first trainable or random layer gives the same output in every epoch of
every trial. Such tensors become the inputs of a smaller model, the suffix, that shares its layers
with the whole: training the one trains the other.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import keras
import numpy as np
import numpy.typing as npt

from artifacts.run_directory import replacing
from data_prep.store import Store
from search.stream import FRAMES, ClipBatches

FLOPS_WORTH_A_BYTE = 64
SMALL = 4
_COMPUTE_BATCH = 8


@dataclasses.dataclass(frozen=True)
class Suffix:
    """What is left to train, and what it is fed.

    Attributes:
        model: cut tensors to ``fake_probability``; shares layers with the whole model.
        names: of its inputs, ``frames`` or keys of ``features``.
        features: cached outputs (rows of the store, ...), memory-mapped; test rows hold zeros.
    """

    model: keras.Model
    names: list[str]
    features: dict[str, npt.NDArray[Any]]


def cut(model: keras.Model, store: Store, folder: Path) -> Suffix:
    """Cut a detector behind its frozen prefix and make sure the prefix's outputs are cached.

    A frozen tensor is cached when reading it back is cheaper than computing it: it is
    :data:`SMALL` times smaller than the clip, or takes at least :data:`FLOPS_WORTH_A_BYTE`
    operations a byte. The key of an
    entry is the structure and weights of what computes it and the store's fingerprint. Only
    training and validation rows are computed.

    Args:
        model: a detector on uint8 ``frames``.
        store: the store the run is made on.
        folder: of the cache.
    """
    tensors = _cut_tensors(model)
    frames = model.inputs[0]
    if all(tensor is frames for tensor in tensors):
        return Suffix(model, [FRAMES], {})
    suffix = _model_from(tensors, model)
    names: list[str] = []
    features: dict[str, npt.NDArray[Any]] = {}
    for tensor in tensors:
        name = FRAMES if tensor is frames else _key(tensor, store.fingerprint)
        names.append(name)
        if name != FRAMES:
            features[name] = _cached(folder / f"{name}.npy", frames, tensor, store)
    return Suffix(suffix, names, features)


def _cut_tensors(model: keras.Model) -> list[keras.KerasTensor]:
    """Where to cut: the last tensors worth caching on every way from the input."""
    frozen: dict[int, bool] = {}

    def is_frozen(tensor: keras.KerasTensor) -> bool:
        if id(tensor) not in frozen:
            frozen[id(tensor)] = _is_fixed(_operation(tensor)) and all(
                map(is_frozen, _parents(tensor))
            )
        return frozen[id(tensor)]

    cuts: dict[int, keras.KerasTensor] = {}
    seen: set[int] = set()

    def cut_above(tensor: keras.KerasTensor) -> None:
        parents = _parents(tensor)
        if not parents or _is_worth_caching(tensor, model.inputs[0]):
            cuts[id(tensor)] = tensor
        else:
            for parent in parents:
                cut_above(parent)

    def visit(tensor: keras.KerasTensor) -> None:
        if id(tensor) in seen:
            return
        seen.add(id(tensor))
        if is_frozen(tensor):
            cut_above(tensor)
        else:
            for parent in _parents(tensor):
                visit(parent)

    visit(model.outputs[0])
    return list(cuts.values())


def _model_from(tensors: list[keras.KerasTensor], model: keras.Model) -> keras.Model:
    """The part of a model behind some of its tensors, with the very same layers.

    Layers are called once more on new inputs: ``keras.Model`` on tensors inside a graph rewrites
    that graph's nodes, after which the whole model may no longer save.
    """
    inputs = [keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype) for tensor in tensors]
    known = {id(old): new for old, new in zip(tensors, inputs, strict=True)}

    def rebuilt(tensor: keras.KerasTensor) -> keras.KerasTensor:
        if id(tensor) not in known:
            history = tensor._keras_history
            node = history.operation._inbound_nodes[history.node_index]
            for parent in node.input_tensors:
                rebuilt(parent)
            args, kwargs = node.arguments.fill_in(known)
            answers = keras.tree.flatten(history.operation(*args, **kwargs))
            for old, new in zip(node.output_tensors, answers, strict=True):
                known[id(old)] = new
        return known[id(tensor)]

    return keras.Model(inputs, rebuilt(model.outputs[0]))


def _operation(tensor: keras.KerasTensor) -> Any:
    return tensor._keras_history.operation


def _parents(tensor: keras.KerasTensor) -> list[keras.KerasTensor]:
    history = tensor._keras_history
    if isinstance(history.operation, keras.layers.InputLayer):
        return []
    return history.operation._inbound_nodes[history.node_index].input_tensors


def _is_fixed(operation: Any) -> bool:
    """Whether an operation gives the same output for the same input in every training step."""
    if operation.trainable_weights:
        return False
    layers = operation._flatten_layers() if hasattr(operation, "_flatten_layers") else [operation]
    for layer in layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
            return False
        if hasattr(layer, "seed_generator") and getattr(layer, "rate", 1) > 0:
            return False
    return True


def _is_worth_caching(tensor: keras.KerasTensor, frames: keras.KerasTensor) -> bool:
    size = 4 * int(np.prod(tensor.shape[1:]))
    if SMALL * size < int(np.prod(frames.shape[1:])):
        return True
    return _flops(tensor, frames.shape[1]) >= FLOPS_WORTH_A_BYTE * size


def _flops(tensor: keras.KerasTensor, time: int) -> float:
    """Operations of all convolutions and dense layers above a tensor, for one clip."""
    total = 0.0
    for operation in {id(op): op for op in _ancestors(tensor)}.values():
        for layer in operation._flatten_layers():
            if isinstance(layer, keras.Model) or not layer.weights:
                continue
            positions = np.prod([side or time for side in layer.output.shape[1:-1]])
            total += 2.0 * positions * max(int(np.prod(w.shape)) for w in layer.weights)
    return total


def _ancestors(tensor: keras.KerasTensor) -> Iterator[Any]:
    stack, seen = [tensor], set()
    while stack:
        current = stack.pop()
        if id(current) not in seen:
            seen.add(id(current))
            yield _operation(current)
            stack.extend(_parents(current))


def _key(tensor: keras.KerasTensor, fingerprint: str) -> str:
    """Digest of the store, and of structure and weights of all that computes a tensor.

    Layer names are left out, so that trials that build the same prefix share its features.
    """
    digest = hashlib.sha256(f"{fingerprint}/{keras.version()}".encode())
    for operation in _ancestors(tensor):
        for layer in operation._flatten_layers():
            config = {k: v for k, v in layer.get_config().items() if k not in _NAMING}
            digest.update(type(layer).__name__.encode())
            if not isinstance(layer, keras.Model):
                digest.update(json.dumps(config, sort_keys=True, default=repr).encode())
                for weight in layer.weights:
                    digest.update(np.ascontiguousarray(weight).data)
    return digest.hexdigest()[:32]


_NAMING = ("name", "trainable", "build_config")


def _cached(
    path: Path, frames: keras.KerasTensor, tensor: keras.KerasTensor, store: Store
) -> npt.NDArray[Any]:
    """An entry, computed by whichever worker comes first while the others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        entry = _load(path, tensor, store)
        if entry is None:
            _compute(keras.Model(frames, tensor), store, path)
            entry = np.load(path, mmap_mode="r", allow_pickle=False)
    return entry


def _load(path: Path, tensor: keras.KerasTensor, store: Store) -> npt.NDArray[Any] | None:
    """A cached entry, or None when it is missing or not what it should be."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return array if array.shape == (len(store), *tensor.shape[1:]) else None


def _compute(prefix: keras.Model, store: Store, path: Path) -> None:
    """Compute an entry for all but the test rows; written to a temporary name and renamed."""
    rows = np.flatnonzero(store.splits != "test")
    with replacing(path) as temporary:
        array = np.lib.format.open_memmap(
            temporary, "w+", np.float32, (len(store), *prefix.output_shape[1:])
        )
        batches = ClipBatches(store, rows, batch_size=_COMPUTE_BATCH)
        for index in range(len(batches)):
            taken = rows[index * _COMPUTE_BATCH : (index + 1) * _COMPUTE_BATCH]
            array[taken] = prefix.predict_on_batch(batches[index][0])
        array.flush()
        del array
