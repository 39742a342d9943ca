"""The Python of the documentation runs as it stands, beside a run, its store and a video."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_PYTHON = re.compile(r"^```python\n(.*?)```", re.DOTALL | re.MULTILINE)
# In this order, in one process.
RUN_HERE = (
    *("README", "quick_start", "python_api", "leaderboard", "explaining", "prediction"),
    *("space", "exporting"),
)
# With tests of their own, or about one run of the reader.
ELSEWHERE = {
    "bridge",
    "block",
    "data",
    "data_set",
    "detector",
    "objective",
    "ensembles",
    "walkthrough",
}

# What the text around the snippets has said.
BEFORE = """
import numpy as np
clip = np.zeros((1, 16, 128, 128, 4), np.uint8)
clips = np.zeros((2, 16, 128, 128, 4), np.uint8)
"""
AFTER = """
assert verdict.label in ("real", "fake", "undecided"), verdict
assert heat.shape == (4, 16, 128, 128) and set(weights) == {"spatial", "noise_residual"}
assert any(row["stage"] == "architecture" for row in rows), rows
assert 0 < probability < 1
"""


def _snippets(name: str) -> list[str]:
    (page,) = (page for page in PAGES if page.stem == name)
    return _PYTHON.findall(page.read_text())


@pytest.fixture(scope="module")
def place(example_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example files, with the model and its exports beside them, and ``VIDEO.mp4``."""
    folder = Path(shutil.copytree(example_folder, tmp_path_factory.mktemp("docs") / "place"))
    shutil.copy(folder / "video.mp4", folder / "VIDEO.mp4")
    formats = "keras,saved_model,onnx,litert,openvino"
    _run([sys.executable, "-m", "search.cli", "export", "runs/ffpp", "--format", formats], folder)
    shutil.copy(folder / "runs" / "ffpp" / "best_model.h5", folder)
    shutil.copytree(folder / "runs" / "ffpp" / "exports", folder, dirs_exist_ok=True)
    return folder


def _run(command: list[str], folder: Path) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.minutes
def test_the_snippets_run_one_after_the_other(place: Path) -> None:
    code = "\n".join([BEFORE, *(part for name in RUN_HERE for part in _snippets(name)), AFTER])
    printed = _run([sys.executable, "-c", code], place)
    assert "['spatial', 'noise_residual']" in printed
    assert '{"fake": ' in printed


def test_no_snippet_is_left_out() -> None:
    having = {page.stem for page in PAGES if _PYTHON.search(page.read_text())}
    assert having <= {*RUN_HERE, *ELSEWHERE}
    assert set(RUN_HERE) <= having
