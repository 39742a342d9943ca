"""The package itself: its names, its version and what importing it costs."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys

import pytest

import dfsearch


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_version_is_that_of_the_distribution() -> None:
    assert dfsearch.__version__ == importlib.metadata.version("deepfake-model-search")


def test_every_name_can_be_had_and_is_listed() -> None:
    assert dir(dfsearch) == sorted(dfsearch.__all__)
    for name in dfsearch.__all__:
        assert getattr(dfsearch, name) is not None
    with pytest.raises(AttributeError, match="module 'dfsearch' has no attribute 'train'"):
        _ = dfsearch.train


def test_the_version_needs_no_library_and_little_time() -> None:
    before = os.times()
    loaded = _run(
        "import sys, dfsearch; dfsearch.__version__\n"
        "print({'tensorflow', 'numpy', 'h5py', 'optuna', 'pydantic'} & set(sys.modules) or '')"
    )
    after = os.times()
    assert loaded == ""
    # Of the processor: other tests run meanwhile.
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 0.3


def test_no_name_brings_tensorflow() -> None:
    loaded = _run(
        "import sys, dfsearch\n"
        "for name in dfsearch.__all__: getattr(dfsearch, name)\n"
        "print({'tensorflow', 'keras'} & set(sys.modules) or '')"
    )
    assert loaded == ""
