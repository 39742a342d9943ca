"""Weights copied between detectors for clips of different lengths."""

from __future__ import annotations

import keras


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copy the weights of a detector to the same detector for clips of another length.

    Raises:
        ValueError: Their layers have other names or weights of other shapes.
    """
    ours, theirs = _weighted(source), _weighted(target)
    if set(ours) != set(theirs):
        raise ValueError(f"other layers: {', '.join(sorted(set(ours) ^ set(theirs)))}")
    for name, layer in ours.items():
        theirs[name].set_weights(layer.get_weights())


def _weighted(model: keras.Model) -> dict[str, keras.Layer]:
    """Return the layers with weights by name; a layer distributed over time has its own name."""
    found: dict[str, keras.Layer] = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            inner = _weighted(layer)
        else:
            own = layer.layer if isinstance(layer, keras.layers.TimeDistributed) else layer
            inner = {own.name: own} if own.weights else {}
        if found.keys() & inner.keys():
            raise ValueError(f"two layers of one name: {min(found.keys() & inner.keys())}")
        found |= inner
    return found
