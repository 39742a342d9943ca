"""Facts about known data sets, read from ``data_sets.toml``."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from data_prep.errors import UserError
from data_prep.layouts.files import quote

_FILE = "data_sets.toml"


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Facts about one data set.

    Attributes:
        name: Its layout.
        summary: Its content, in one line.
        page: Address of its page, relative to the documentation.
        people: Which people are named.
        splits: Its official splits.
        licence: Terms of use.
        ask: Where to ask for it.
        size: Size as published.
        tree: Expected folders and files, a line each.
        pitfalls: What often goes wrong.
        unverified: Facts that its own pages do not state, or empty.
        counts: Published number of videos in one quality, by method; one number a version.
    """

    name: str
    summary: str
    page: str
    people: str
    splits: str
    licence: str
    ask: str
    size: str
    tree: tuple[str, ...]
    pitfalls: tuple[str, ...]
    unverified: str
    counts: Mapping[str, tuple[int, ...]]

    def to_json(self) -> dict[str, Any]:
        """Return all facts as values for JSON."""
        return dataclasses.asdict(self) | {"counts": {k: list(v) for k, v in self.counts.items()}}


@functools.cache
def data_sets() -> tuple[DataSet, ...]:
    """Return the known data sets."""
    text = resources.files(__package__).joinpath(_FILE).read_text("utf-8")
    return tuple(map(_data_set, tomllib.loads(text)["data_set"]))


def data_set(name: str) -> DataSet:
    """Return the facts about one data set.

    Args:
        name: name of the data set, in any case.

    Raises:
        UserError: no known data set has the name.
    """
    for known in data_sets():
        if known.name.casefold() == name.casefold():
            return known
    names = ", ".join(known.name for known in data_sets())
    raise UserError(f"the data set must be one of {names}; received {quote(name)}")


def _data_set(facts: dict[str, Any]) -> DataSet:
    counts = {
        method: tuple(number) if isinstance(number, list) else (number,)
        for method, number in facts.get("counts", {}).items()
    }
    return DataSet(
        **facts
        | {
            "page": f"data_sets/{facts['page']}.md",
            "tree": tuple(facts["tree"].strip().splitlines()),
            "pitfalls": tuple(facts["pitfalls"]),
            "unverified": facts.get("unverified", ""),
            "counts": counts,
        }
    )
