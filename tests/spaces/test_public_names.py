"""The public names of ``spaces``: all there, imported on first use."""

from __future__ import annotations

import doctest
import subprocess
import sys

import spaces


def test_importing_spaces_imports_no_tensorflow() -> None:
    code = "import sys, spaces; dir(spaces); assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there_under_its_own_name() -> None:
    for name in spaces.__all__:
        assert getattr(spaces, name).__name__ == name
    assert set(spaces.__all__) <= set(dir(spaces))


def test_the_example_of_the_package_runs() -> None:
    assert doctest.testmod(spaces).attempted == 2
    assert doctest.testmod(spaces).failed == 0
