"""The last feature maps of a detector: the last tensors with separate positions of a frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras

from artifacts.explain.layers import is_entered
from spaces.keras_internals import node_of, operation_of
from spaces.streams.names import AUDIO

_MAP_RANK = 5


@dataclasses.dataclass(frozen=True)
class FeatureMap:
    """The output of a layer, (batch, t, h, w, C), with separate positions.

    Attributes:
        layer: layer with this output.
        box: top, bottom, left and right of the shown region, as fractions of a frame: a stream
            may look at the eyes or the mouth alone.
    """

    layer: Any
    box: tuple[float, float, float, float]


def feature_maps(model: keras.Model) -> list[FeatureMap]:
    """Return the last feature maps of all streams that use frames or their flow.

    On every path from the output back to the inputs, the map is the first tensor with time, height,
    width and channels. An average over positions is linear, so its input is the map. The pictures
    of an audio stream do not show the face and are left out.

    Args:
        model: a detector, or several as one.
    """
    found: dict[int, FeatureMap] = {}
    seen: set[int] = set()
    stack = list(model.outputs)
    while stack:
        tensor = stack.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        if len(tensor.shape) == _MAP_RANK:
            tensor = _averaged(tensor)
            layer = operation_of(tensor)
            if not isinstance(layer, keras.layers.InputLayer) and AUDIO not in _sources(tensor):
                found[id(layer)] = FeatureMap(layer, _box(tensor))
        elif is_entered(operation_of(tensor)):
            stack += operation_of(tensor).outputs
        else:
            stack += node_of(tensor).input_tensors
    return list(found.values())


def _averaged(tensor: keras.KerasTensor) -> keras.KerasTensor:
    """Return the tensor that a map averages, or the map itself."""
    while isinstance(operation_of(tensor), keras.layers.AveragePooling3D):
        (tensor,) = node_of(tensor).input_tensors
    return tensor


def _sources(tensor: keras.KerasTensor) -> set[str]:
    """Return the names of the inputs that a tensor depends on."""
    layers = map(operation_of, _above(tensor))
    return {layer.name for layer in layers if isinstance(layer, keras.layers.InputLayer)}


def _box(tensor: keras.KerasTensor) -> tuple[float, float, float, float]:
    """Return the box of the region cut out of the frames for a map, else the whole frame."""
    for above in _above(tensor):
        layer = operation_of(above)
        if isinstance(layer, keras.layers.Cropping3D):
            _, (top, bottom), (left, right) = layer.cropping
            _, _, height, width, _ = node_of(above).input_tensors[0].shape
            return top / height, 1 - bottom / height, left / width, 1 - right / width
    return 0.0, 1.0, 0.0, 1.0


def _above(tensor: keras.KerasTensor) -> Iterator[keras.KerasTensor]:
    """Yield a tensor and all tensors it depends on, within its model."""
    seen: set[int] = set()
    stack = [tensor]
    while stack:
        current = stack.pop()
        if id(current) not in seen:
            seen.add(id(current))
            stack += node_of(current).input_tensors
            yield current
