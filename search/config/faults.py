"""Faults of a configuration as one line, in the words of this project and not of pydantic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import pydantic

from data_prep.text import suggest

_RENAMED = {
    "architecture.epochs": "now architecture.samples, the number of samples that a trial shows",
    "architecture.clips": "gone: an epoch is training.epoch_samples, whatever the store",
    "training.max_epochs": "now training.max_samples, the most samples that a trial shows",
}
# What a value must be, by pydantic's type of the fault.
_EXPECTED = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "string_type": "text",
    "path_type": "a path",
    "tuple_type": "a list",
    "model_type": "a table of settings",
    "finite_number": "a finite number",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "{expected}",
}


def describe_faults(error: pydantic.ValidationError, model: type[pydantic.BaseModel]) -> str:
    """Return one line about all faults: key, expected value, value found.

    Args:
        error: Faults that pydantic found.
        model: Model that was checked, whose keys are suggested for unknown ones.
    """
    keys = list(_keys(model))
    # A value of one of several types has a fault for each type.
    groups = groupby(error.errors(), lambda fault: _key(fault, keys))
    return "; ".join(_fault_line(key, list(faults), keys) for key, faults in groups)


def _keys(model: type[pydantic.BaseModel]) -> Iterator[str]:
    """Yield the keys of all settings, with their section if they have one."""
    for name, field in model.model_fields.items():
        yield name
        if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel):
            yield from (f"{name}.{inner}" for inner in field.annotation.model_fields)


def _key(fault: Mapping[str, Any], keys: list[str]) -> str:
    """Return the key of a setting without the types and positions that pydantic appends."""
    whole = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return whole
    return max((key for key in keys if f"{whole}.".startswith(f"{key}.")), key=len, default=whole)


def _fault_line(key: str, faults: list[Any], keys: list[str]) -> str:
    first: Mapping[str, Any] = faults[0]
    if key in _RENAMED:
        return f"{key} is {_RENAMED[key]}"
    if first["type"] == "extra_forbidden":
        return f"no setting {key}{_suggest(key, keys)}"
    if first["type"] == "missing":
        return f"{key} is missing"
    if first["type"] == "value_error":
        what = first["msg"].removeprefix("Value error, ")
        return f"{key}: {what}" if key else what
    expected = " or ".join(
        _EXPECTED.get(fault["type"], fault["msg"]).format(**fault.get("ctx", {}))
        for fault in faults
    )
    # A storage of a wrong type may hold a password all the same.
    found = "" if key == "storage" else f"; received {first['input']!r}"
    return f"{key} must be {expected}{found}"


def _suggest(key: str, keys: list[str]) -> str:
    """Return a question with the same name in other sections, else with close names."""
    section, _, name = key.rpartition(".")
    same = [each for each in keys if each.rpartition(".")[2] == name]
    if same:
        return f"; did you mean {' or '.join(same)}?"
    inside = [each for each in keys if each.rpartition(".")[0] == section]
    return suggest(name, [each.rpartition(".")[2] for each in inside])
