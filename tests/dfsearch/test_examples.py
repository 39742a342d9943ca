"""The examples in the docstrings of the public interface run as they stand."""

from __future__ import annotations

import doctest
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import dfsearch

MODULES = (
    *("dfsearch", "dfsearch.catalogue", "dfsearch.stores", "dfsearch.searches"),
    *("dfsearch.runs", "dfsearch.detectors"),
)
# A worker ends with its run, a dashboard when it is interrupted, and what is examined is handed to
# annotate.
WITHOUT_EXAMPLE = {"Run.work", "Run.dashboard", "Detector.examine"}


def _examples() -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in MODULES:
        for found in finder.find(importlib.import_module(name), name):
            if found.examples:
                found.globs = {}
                yield found


EXAMPLES = list(_examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_an_example_runs(example: doctest.DocTest, here: Path) -> None:
    printed: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(example, out=printed.append)
    assert not runner.failures, "".join(printed)


def test_every_public_function_and_method_has_an_example() -> None:
    named = {example.name.split(".", 2)[-1] for example in EXAMPLES}
    functions = [name for name in dfsearch.__all__ if inspect.isfunction(getattr(dfsearch, name))]
    methods = [
        f"{owner.__name__}.{name}"
        for owner in (dfsearch.Run, dfsearch.Detector)
        for name, _ in inspect.getmembers(owner, inspect.isroutine)
        if not name.startswith("_")
    ]
    assert {*functions, *methods} - named == WITHOUT_EXAMPLE
