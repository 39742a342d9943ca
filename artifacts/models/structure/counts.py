"""Calls and settings of a model, counted in its configuration before any layer is built."""

from __future__ import annotations

from typing import Any

from artifacts.models.refusal import RefusalError

MOST_CALLS = 12_000
# Tensors that calls take: a layer can take many.
MOST_TENSORS = 4 * MOST_CALLS
LONGEST_STRING = 1024
# Numbers in one list of a layer: an offset for each channel, and sizes of each axis.
LONGEST_LIST = 64
# Keras writes lists in lists only for the borders of pictures.
_OF_PAIRS = ("padding", "cropping")
# Layers that call what is inside them once for each step.
REPEATING = "TimeDistributed"

_OTHER_PARTS = ("keras", "keras.initializers", "keras.regularizers", "keras.constraints")
_ZEROS: dict[str, Any] = {
    "module": "keras.initializers",
    "class_name": "Zeros",
    "config": {},
    "registered_name": None,
}


def count_calls(config: dict[str, Any]) -> int:
    """Return the number of layer calls that one call of a model makes.

    A model inside a model counts once for each of its calls, at every depth. So a small file can
    make a number of calls that no computer finishes.

    Args:
        config: Serialised functional model, nested less deeply than the stack allows.

    Raises:
        RefusalError: The calls or the tensors they take are too many, or a layer that repeats
            its content is inside another one.
    """
    calls, tensors = _count(config, repeated=False)
    if calls > MOST_CALLS:
        raise RefusalError(f"calls its layers {_short(calls)} times, at most {MOST_CALLS} allowed")
    if tensors > MOST_TENSORS:
        raise RefusalError(f"passes {_short(tensors)} tensors, at most {MOST_TENSORS} allowed")
    return calls


def _count(value: Any, *, repeated: bool) -> tuple[int, int]:
    """Return the calls and the tensors of every part inside a value."""
    if isinstance(value, list):
        found = [_count(item, repeated=repeated) for item in value]
        return sum(calls for calls, _ in found), sum(tensors for _, tensors in found)
    if not isinstance(value, dict):
        return 0, 0
    name = value.get("class_name")
    if name == "__keras_tensor__":
        return 0, 1
    if name == REPEATING:
        if repeated:
            raise RefusalError(f"has a {REPEATING} inside another")
        repeated = True
    rest = [item for key, item in value.items() if key != "inbound_nodes"]
    calls, tensors = _count(rest, repeated=repeated)
    if "inbound_nodes" in value:
        nodes = value["inbound_nodes"] if isinstance(value["inbound_nodes"], list) else []
        given, taken = _count(nodes, repeated=repeated)
        times = max(1, len(nodes))
        return times * (1 + calls) + given, times * tensors + taken
    return calls + is_layer(value), tensors


def is_layer(entry: dict[str, Any]) -> bool:
    """Return whether a serialised object is a layer or a model."""
    name = entry.get("class_name")
    return isinstance(name, str) and name[:2] != "__" and entry.get("module") not in _OTHER_PARTS


def check_settings(layer: dict[str, Any]) -> None:
    """Refuse settings with which a layer computes more than its shapes show.

    Args:
        layer: Serialised layer.

    Raises:
        RefusalError: The layer keeps a state, is laid out step by step, or has lists that would
            change the shape of its input.
    """
    name, config = layer["class_name"], layer.get("config")
    if name == "Functional" or not isinstance(config, dict):
        return
    for setting in ("stateful", "unroll"):
        if config.get(setting):
            raise RefusalError(f"has a {name} with {setting}, which no detector needs")
    for key, value in config.items():
        _check_list(name, key, value)
    axes = _items(config.get("axis"))
    if name == "Normalization" and axes is not None and len(axes) > 1:
        raise RefusalError(f"has a {name} over {len(axes)} axes, at most 1 allowed")


def _check_list(name: str, key: str, value: Any) -> None:
    items = _items(value)
    if items is None:
        return
    if len(items) > LONGEST_LIST:
        raise RefusalError(f"has a {name} with {len(items)} values of {key}")
    for item in items:
        inside = _items(item)
        if inside is None:
            continue
        pair = key in _OF_PAIRS and len(inside) == 2 and not any(map(_items, inside))
        if not pair:
            raise RefusalError(f"has a {name} with lists inside its {key}")


def _items(value: Any) -> list[Any] | None:
    """Return the content of a list or of a serialised tuple; None for other values."""
    if isinstance(value, dict) and value.get("class_name") == "__tuple__":
        value = value.get("items")
    return value if isinstance(value, list) else None


def check_string(text: str) -> None:
    """Refuse a string that no configuration of Keras has.

    Raises:
        RefusalError: It is too long, or has characters that a terminal obeys.
    """
    if len(text) > LONGEST_STRING:
        raise RefusalError(f"has a string of {len(text)} characters in its configuration")
    if not text.isprintable():
        raise RefusalError(f"has the unprintable text {ascii(text)[:80]} in its configuration")


def zero_initializers(value: Any) -> Any:
    """Return a configuration in which every initialiser gives zeros.

    The weights of a file replace what initialisers give. Some take minutes for a large weight, so
    none of a file is ever run.
    """
    if isinstance(value, dict):
        if value.get("module") == "keras.initializers":
            return dict(_ZEROS)
        return {
            key: dict(_ZEROS)
            if key.endswith("_initializer") and item is not None
            else zero_initializers(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [zero_initializers(item) for item in value]
    return value


def _short(number: int) -> str:
    """Return a count as text, also one of thousands of digits."""
    return str(number) if number < 10**9 else "more than 1000000000"
