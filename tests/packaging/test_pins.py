"""The pins of the requirements, as the oldest Python that is promised has to install them."""

from __future__ import annotations

from configparser import ConfigParser
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]


def pins(file: str) -> list[Requirement]:
    lines = (ROOT / file).read_text().splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith(("#", "-"))]


def oldest() -> str:
    """The lowest Python of ``python_requires``, its first release."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    bounds = SpecifierSet(setup["options"]["python_requires"])
    (bound,) = (each for each in bounds if each.operator == ">=")
    return f"{bound.version}.0"


@pytest.mark.parametrize("file", ["requirements.txt", "docs/requirements.txt"])
def test_every_pin_can_be_installed_by_the_oldest_python(file: str) -> None:
    refused, known = {}, 0
    for pin in pins(file):
        try:
            needed = metadata(pin.name).get("Requires-Python")
        except PackageNotFoundError:
            continue
        known += 1
        if needed and not SpecifierSet(needed).contains(oldest()):
            refused[str(pin)] = needed
    if not known:
        pytest.skip(f"nothing of {file} is installed")
    assert not refused
