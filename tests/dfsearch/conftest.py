"""A copy of the example files, so that examples may write beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def own_examples(example_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example folder for this process."""
    return Path(shutil.copytree(example_folder, tmp_path_factory.mktemp("examples") / "copy"))


@pytest.fixture
def here(own_examples: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The copy, as the current folder."""
    monkeypatch.chdir(own_examples)
    return own_examples
