"""The Python of the documentation runs as it stands, beside a run, its store and a video."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.store.store import Clip, write_store

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_PYTHON = re.compile(r"^```python\n(.*?)```", re.DOTALL | re.MULTILINE)
# In this order, in one process.
RUN_HERE = (
    *("README", "quick_start", "leaderboard", "explaining", "prediction", "space"),
    "exporting",
)
# With tests of their own, or about one run of the reader.
ELSEWHERE = {"bridge", "block", "data_set", "detector", "objective", "ensembles", "walkthrough"}

CONFIG = """\
store = "ffpp.h5"
run_dir = "runs/ffpp"
preset = "quick"

[space]
streams = ["spatial", "noise_residual"]
backbones = ["small_cnn"]

[architecture]
trials = 1
epochs = 1

[gan]
trials = 0

[training]
trials = 0
"""
# What the text around the snippets has said.
BEFORE = """
import numpy as np
clip = np.zeros((1, 16, 128, 128, 4), np.uint8)
clips = np.zeros((2, 16, 128, 128, 4), np.uint8)
"""
AFTER = """
assert answer.label in ("real", "fake", "undecided"), answer
assert heat.shape == (4, 16, 128, 128) and set(weights) == {"spatial", "noise_residual"}
assert any(row["stage"] == "architecture" for row in rows), rows
assert 0 < probability < 1
"""


def _snippets(name: str) -> list[str]:
    (page,) = (page for page in PAGES if page.stem == name)
    return _PYTHON.findall(page.read_text())


@pytest.fixture(scope="module")
def place(
    make_clip: Callable[..., Clip], face_video: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """``ffpp.h5``, ``runs/ffpp``, its exports and its model beside it, and ``VIDEO.mp4``."""
    folder = tmp_path_factory.mktemp("place")
    splits = ("train", "train", "val", "val", "test", "test")
    clips = [
        make_clip(
            f"person{number}",
            kind,
            16,
            split=split,
            frames=np.random.default_rng(number).integers(0, 255, (16, 128, 128, 4), np.uint8),
        )
        for number, split in enumerate(splits)
        for kind in ("real", "fake")
    ]
    write_store(folder / "ffpp.h5", clips, [], {"clip": {}, "synthetic": True})
    (folder / "VIDEO.mp4").write_bytes(face_video)
    (folder / "config.toml").write_text(CONFIG)
    formats = "keras,saved_model,onnx,litert,openvino"
    for command in (["run", "config.toml"], ["export", "runs/ffpp", "--format", formats]):
        _run([sys.executable, "-m", "search.cli", *command], folder)
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
