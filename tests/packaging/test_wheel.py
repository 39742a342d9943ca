"""What is built holds the rooms and nothing else, and works where there is no source tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ROOMS = ("artifacts", "data_prep", "dfsearch", "search", "spaces")
BESIDE = ("MANIFEST.in", "README.md", "LICENSE", "setup.cfg", "pyproject.toml")
BESIDE += ("CHANGELOG.md", "CONTRIBUTING.md", "requirements.txt")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")

TINY = """\
store = "store.h5"
run_dir = "run"
preset = "quick"

[space]
streams = ["spatial"]
backbones = ["small_cnn"]

[architecture]
trials = 1
samples = 16

[gan]
trials = 0

[training]
trials = 0
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what there is to package, and of tests and benches, which must stay out."""
    folder = tmp_path_factory.mktemp("source")
    for room in (*ROOMS, "bench", "docs", "tests"):
        shutil.copytree(REPOSITORY / room, folder / room, ignore=LEFT_OUT)
    for name in BESIDE:
        shutil.copy(REPOSITORY / name, folder)
    return folder


@pytest.fixture(scope="module")
def sdist(source: Path) -> Path:
    """The source distribution, built by the backend alone: nothing is downloaded."""
    return built(source, "sdist")


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of what the source distribution holds."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return built(unpacked, "wheel")


@pytest.fixture(scope="module")
def dfsearch(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment that has the wheel; libraries are those of the tests."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
    pip += ["--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # As a line of a .pth file it brings its packages, and not the checkout it may point to.
    (packages / "libraries.pth").write_text(sysconfig.get_paths()["purelib"], encoding="utf-8")
    return folder / "bin" / "dfsearch"


def built(source: Path, kind: str) -> Path:
    code = f"from setuptools import build_meta; print('built', build_meta.build_{kind}('dist'))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return source / "dist" / done.stdout.split()[-1]


def of_the_rooms() -> set[str]:
    files = (path for room in ROOMS for path in (REPOSITORY / room).rglob("*") if path.is_file())
    return {
        path.relative_to(REPOSITORY).as_posix() for path in files if "__pycache__" not in path.parts
    }


def run(*command: object, cwd: Path) -> str:
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == of_the_rooms()
    assert {f"{room}/py.typed" for room in ROOMS} <= names
    assert "artifacts/report/templates/report.html" in names


def test_the_source_distribution_holds_what_it_takes_to_read_and_build(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        files = [member.name for member in archive.getmembers() if member.isfile()]
    names = {name.partition("/")[2] for name in files}
    assert of_the_rooms() | set(BESIDE) | {"docs/quick_start.md"} <= names
    assert not {name for name in names if name.startswith(("bench/", "tests/"))}


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        described = archive.read(name).decode()
    assert "License-Expression: Apache-2.0" in described
    (python,) = re.findall(r"^Requires-Python: (.*)$", described, re.MULTILINE)
    assert set(python.split(",")) == {">=3.11", "<3.14"}
    assert "# Deepfake Model Search" in described


@pytest.mark.slow
def test_the_installed_wheel_needs_no_source_tree(dfsearch: Path, tmp_path: Path) -> None:
    python = dfsearch.with_name("python")
    where = f"import {', '.join(ROOMS)}; print(*(m.__file__ for m in ({', '.join(ROOMS)})))"
    for path in run(python, "-c", where, cwd=tmp_path).split():
        assert Path(path).is_relative_to(dfsearch.parents[1])
    assert "synthesize" in run(dfsearch, "--help", cwd=tmp_path)

    made = ("--identities", 6, "--frames", 8, "--size", 128)
    run(dfsearch, "synthesize", "videos", *made, cwd=tmp_path)
    small = ("--frames", 4, "--size", 32, "--json")
    prepared = json.loads(run(dfsearch, "prepare", "videos", "store.h5", *small, cwd=tmp_path))
    assert prepared["clips"] == 12
    (tmp_path / "run.toml").write_text(TINY, encoding="utf-8")
    run(dfsearch, "run", "run.toml", cwd=tmp_path)
    assert (tmp_path / "run" / "best_model.h5").stat().st_size
    run(dfsearch, "report", "run", cwd=tmp_path)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    style = (REPOSITORY / "artifacts/report/templates/report.css").read_text(encoding="utf-8")
    assert "--ink:" in page
    assert "--ink:" in style
