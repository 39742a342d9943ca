"""Configuration of a model file, checked before Keras builds any layer of it."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

import keras

from artifacts.models.refusal import RefusalError, first_line
from artifacts.models.structure.costs import LARGEST_TENSOR, MOST_STEPS, check_costs
from artifacts.models.structure.counts import (
    check_settings,
    check_string,
    count_calls,
    is_layer,
    zero_initializers,
)
from artifacts.models.structure.process import call_limited
from spaces.keras_internals import call_nodes, nested_layers

# Layers that compute and do nothing else, by their names in ``keras.layers``. Others run stored
# programs, read files that the configuration names, or have no place in a detector.
_BY_DIMENSIONS = (
    *("AveragePooling", "Conv", "ConvLSTM", "Cropping", "DepthwiseConv", "GlobalAveragePooling"),
    *("GlobalMaxPooling", "MaxPooling", "SeparableConv", "SpatialDropout", "UpSampling"),
    "ZeroPadding",
)
LAYERS = frozenset(
    (
        *(f"{name}{dimensions}D" for name in _BY_DIMENSIONS for dimensions in (1, 2, 3)),
        *("Activation", "ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"),
        *("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"),
        *("AdditiveAttention", "Attention", "GroupQueryAttention", "MultiHeadAttention"),
        *("BatchNormalization", "GroupNormalization", "LayerNormalization", "Normalization"),
        *("RMSNormalization", "SpectralNormalization", "UnitNormalization"),
        *("Bidirectional", "GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "SimpleRNN"),
        *("SimpleRNNCell", "StackedRNNCells", "TimeDistributed"),
        *("AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"),
        *("CenterCrop", "Rescaling", "Resizing"),
        *("Dense", "EinsumDense", "Identity", "InputLayer", "Masking"),
        *("Flatten", "Permute", "RepeatVector", "Reshape"),
    )
)
_HOMES = {
    "keras.initializers": (keras.initializers, keras.initializers.Initializer),
    "keras.regularizers": (keras.regularizers, keras.regularizers.Regularizer),
    "keras.constraints": (keras.constraints, keras.constraints.Constraint),
}
LONGEST, MOST_OBJECTS = 1 << 25, 1_000_000
DEEPEST = 64
LARGEST_NUMBER = 1 << 24
# Numbers that are no sizes.
_ANY_NUMBER = ("seed", "shared_object_id")
# Processor time of a check, and for each call of a layer.
_SECONDS, _CALLS_A_SECOND = 30, 25


def parse(text: bytes) -> dict[str, Any]:
    """Parse the configuration of a functional model of stock layers.

    Args:
        text: JSON of the file.

    Returns:
        Serialised model. Each initialiser in it gives zeros, which the weights of the file replace.

    Raises:
        RefusalError: it is no such configuration, or names a part that is not stock Keras.
    """
    if len(text) > LONGEST or text.count(b"{") + text.count(b"[") > MOST_OBJECTS:
        raise RefusalError(f"has a configuration of {len(text)} bytes, too large to read")
    try:
        config = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise RefusalError("is not a Keras model file") from None
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise RefusalError("is not a Keras model file")
    # Optimizer, loss and metrics are of no use here, and are never made.
    config.pop("compile_config", None)
    if config.get("class_name") != "Functional":
        raise RefusalError(f"holds {_named(config)}, not a functional model")
    try:
        count_calls(config)
    except RecursionError:
        raise RefusalError("has a configuration that is nested too deeply") from None
    for entry in _entries(config):
        if "class_name" in entry and not _is_stock(entry):
            raise RefusalError(f"holds {_named(entry)}, not a stock Keras layer")
        if entry.get("compile_config"):
            raise RefusalError("holds a part with an optimizer of its own")
        if "class_name" in entry and is_layer(entry):
            check_settings(entry)
    return dict(zero_initializers(config))


def check_size(config: dict[str, Any], shapes: list[tuple[int, ...]]) -> None:
    """Refuse a model whose weights differ from its file, or that needs too much memory or time.

    The layers are made in a process with limits, without their weights.

    Args:
        config: Serialised model, see :func:`parse`.
        shapes: Shapes of the arrays in the file.

    Raises:
        RefusalError: The layers do not fit together, the weights, or a cost of one clip.
    """
    seconds = _SECONDS + count_calls(config) // _CALLS_A_SECOND
    call_limited(lambda: _check_built(config["config"], shapes), seconds)


def _check_built(config: dict[str, Any], shapes: list[tuple[int, ...]]) -> None:
    with keras.StatelessScope(initialize_variables=False):
        try:
            # Keras modifies its argument.
            model = keras.Model.from_config(copy.deepcopy(config))
            _check_declared(model)
            needed = [tuple(weight.shape) for weight in model.weights]
            if sorted(needed) == sorted(shapes):
                check_costs(model)
        except RefusalError:
            raise
        except Exception as error:  # whatever a layer raises on settings it does not take
            raise RefusalError(f"cannot be loaded: {first_line(error)}") from None
    if sorted(needed) != sorted(shapes):
        held, wanted = (sum(map(math.prod, sizes)) for sizes in (shapes, needed))
        raise RefusalError(f"cannot be loaded: it holds {held} weights, its layers need {wanted}")


def _check_declared(model: keras.Model) -> None:
    """Refuse shapes that the layers declare, before the operations are traced one by one."""
    for layer in nested_layers(model):
        for node in call_nodes(layer):
            for tensor in (*node.input_tensors, *node.output_tensors):
                if math.prod(side or 1 for side in tensor.shape) > LARGEST_TENSOR:
                    raise RefusalError(f"needs a tensor of {_shape(tensor.shape)} in {layer.name}")
            repeats = isinstance(layer, keras.layers.TimeDistributed)
            if repeats and (node.input_tensors[0].shape[1] or 0) > MOST_STEPS:
                raise RefusalError(f"repeats {layer.name} more than {MOST_STEPS} times")


def _entries(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a configuration.

    Raises:
        RefusalError: they lie too deep, or a value is impossible in a layer.
    """
    # Classes registered in this process are found by a bare name.
    registered = keras.saving.get_custom_objects()
    waiting: list[tuple[Any, int]] = [(config, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            raise RefusalError("has a configuration that is nested too deeply")
        if isinstance(value, dict):
            for key in value:
                check_string(key)
            yield value
            waiting += [
                (item, depth + 1)
                for key, item in value.items()
                if not (key in _ANY_NUMBER and isinstance(item, int))
            ]
        elif isinstance(value, list):
            waiting += [(item, depth + 1) for item in value]
        elif isinstance(value, str):
            check_string(value)
            if value in registered:
                raise RefusalError(f"holds {value}, not a stock Keras layer")
        elif value is not None and not abs(value) <= LARGEST_NUMBER:
            raise RefusalError(f"has the number {value} in its configuration")


def _is_stock(entry: dict[str, Any]) -> bool:
    """Return whether a serialised object is an allowed part of a model."""
    name, module = entry["class_name"], entry.get("module")
    if not isinstance(name, str) or not isinstance(module, str | None):
        return False
    if name == "Functional" and module in (None, "keras.src.models.functional"):
        return entry.get("registered_name") in (None, "Functional")
    if entry.get("registered_name"):
        return False
    if module is None and name in ("__keras_tensor__", "__tuple__"):
        return True
    if module == "keras":
        return name == "DTypePolicy"
    if module in (None, "keras.layers"):
        return name in LAYERS
    if module not in _HOMES:
        return False
    home, kind = _HOMES[module]
    found = getattr(home, name, None)
    return isinstance(found, type) and issubclass(found, kind)


def _named(entry: dict[str, Any]) -> str:
    return ".".join(str(entry[key]) for key in ("module", "class_name") if entry.get(key))


def _shape(shape: tuple[int | None, ...]) -> str:
    return " x ".join(str(side) for side in shape if side is not None)


def _no_number(text: str) -> None:
    raise ValueError(text)
