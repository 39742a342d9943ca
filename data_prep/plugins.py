"""Additions of other installed packages: layouts, face detectors, streams and objectives.

A package declares each as an entry point of one of the groups below (PyPA, "Entry points
specification", 2024). Names are read without importing anything. A package is imported when its
addition is used, also in worker processes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import re
import traceback
from collections.abc import Collection, Iterator
from pathlib import PurePath
from typing import Any

from data_prep.errors import UserError, VideoError
from data_prep.text import one_line

LAYOUTS, DETECTORS = "dfsearch.layouts", "dfsearch.detectors"
STREAMS, OBJECTIVES = "dfsearch.streams", "dfsearch.objectives"
_KINDS = {
    LAYOUTS: "layout",
    DETECTORS: "face detector",
    STREAMS: "stream",
    OBJECTIVES: "objective",
}


@dataclasses.dataclass(frozen=True)
class Plugin:
    """One thing that a package adds.

    Attributes:
        kind: kind of the addition, in words.
        name: name of the addition.
        package: distribution that declares it.
        entry: its entry point.
    """

    kind: str
    name: str
    package: str
    entry: importlib.metadata.EntryPoint

    def __str__(self) -> str:
        return f"the {self.kind} {self.name} of the package {self.package}"

    def load(self) -> Any:
        """Import it.

        Raises:
            UserError: that fails.
        """
        try:
            return self.entry.load()
        except Exception as error:  # whatever a module does when it is imported
            raise self.refusal(
                f"cannot be imported: {_told(error)}; repair the package or remove it: "
                f"pip uninstall {self.package}"
            ) from None

    def refusal(self, reason: str) -> UserError:
        """Return the error for a fault of the plug-in."""
        return UserError(f"{self} {reason}")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Name the package in every error of its code.

        Raises:
            UserError: it has failed.
        """
        try:
            yield
        except (UserError, VideoError, MemoryError):
            raise
        except Exception as error:
            raise self.refusal(f"failed: {_told(error)}") from error


def find_plugins(group: str, built_in: Collection[str]) -> dict[str, Plugin]:
    """Find the additions of installed packages to a group, by name, in alphabetical order.

    Args:
        group: group of entry points, a constant of this module.
        built_in: names that are taken, in any case.

    Raises:
        UserError: a name is taken, or cannot be written in an option or a file.
    """
    kind, found = _KINDS[group], dict[str, Plugin]()
    taken = {name.casefold() for name in built_in}
    for entry in sorted(importlib.metadata.entry_points(group=group)):
        package = entry.dist.name if entry.dist else entry.module
        plugin = Plugin(kind, entry.name, package, entry)
        if not re.fullmatch(r"\w[\w.+-]*", entry.name, flags=re.ASCII):
            raise plugin.refusal("has an invalid name; use letters, digits and _ . + -")
        if entry.name.casefold() in taken:
            raise plugin.refusal(
                f"has a name that is already taken; rename it in {package}, or remove "
                f"the package: pip uninstall {package}"
            )
        taken.add(entry.name.casefold())
        found[entry.name] = plugin
    return found


def find_plugin(group: str, name: str, built_in: Collection[str]) -> Plugin:
    """Find the addition of an installed package by its name.

    Raises:
        UserError: no installed package adds it.
    """
    found = find_plugins(group, built_in)
    if name not in found:
        raise UserError(
            f"no installed package adds the {_KINDS[group]} {name}; install the one that does"
        )
    return found[name]


def versions() -> dict[str, str]:
    """Return the versions of the installed packages that add anything, by name."""
    entries = importlib.metadata.entry_points()
    ours = (entry for group in _KINDS for entry in entries.select(group=group))
    return {entry.dist.name: entry.dist.version for entry in ours if entry.dist}


def _told(error: Exception) -> str:
    """Describe an error in one line, with its position in the code of the package."""
    message = one_line(f"{type(error).__name__}: {error}").rstrip(": ")[:300]
    steps = traceback.extract_tb(error.__traceback__)
    places = [step for step in steps if not step.filename.startswith("<frozen")]
    if len(places) < 2:
        return message
    return f"{message} ({PurePath(places[-1].filename).name}:{places[-1].lineno})"
