"""Fixtures of all tests: drawn videos and clips, real videos, folders made once per build."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import hypothesis
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from filelock import FileLock

from artifacts.metrics.metrics import Evaluation, evaluate
from artifacts.metrics.per_video import ScoredClips
from data_prep.preparation.clip import Preparation
from data_prep.preparation.shortcuts import measure
from data_prep.store.store import Clip, write_store
from data_prep.video.grey import with_grey
from data_prep.video.video import Media

Frames = Iterator[npt.NDArray[np.uint8]]

ROOT = Path(__file__).parents[1]

# As artifacts.quiet.import_tensorflow has it, for tests that import TensorFlow by themselves.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# A busy machine is no failure.
hypothesis.settings.register_profile(
    "patient",
    deadline=None,
    max_examples=50,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")

MakeOnce = Callable[[str, Callable[[Path], object]], Path]
MOST_SHOWN, LEAST_SECONDS = 30, 5.0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the slowest tests, each with the fixtures that it was the first to use."""
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid] += report.duration
    slowest = [each for each in seconds.most_common(MOST_SHOWN) if each[1] >= LEAST_SECONDS]
    if slowest:
        terminalreporter.section("slowest tests, in seconds with their fixtures")
    for name, spent in slowest:
        terminalreporter.write_line(f"{spent:8.1f}  {name}")


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Make a folder once for all test processes: ``make_once("run", make)``.

    The first process calls ``make(folder)``; the others wait for it. Tests only read the folder.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def once(name: str, make: Callable[[Path], object]) -> Path:
        folder, ready = base / f"shared-{name}", base / f"shared-{name}.ready"
        with FileLock(base / f"shared-{name}.lock"):
            if not ready.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                ready.touch()
        return folder

    return once


@pytest.fixture(scope="session", autouse=True)
def state_of_the_account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the state that commands keep for their user."""
    folder = tmp_path_factory.mktemp("state")
    os.environ["XDG_STATE_HOME"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """Write RGB frames as a video file: ``write_video(path, frames, codec="mp4v")``."""

    def write(path: Path, frames: Frames, codec: str = "mp4v") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = None
        for frame in frames:
            if writer is None:
                size = frame.shape[1::-1]
                fourcc = cv2.VideoWriter.fourcc(*codec)
                writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, 25.0, size)
                assert writer.isOpened()
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        assert writer is not None
        writer.release()
        return path

    return write


@pytest.fixture(scope="session")
def face_frames() -> Callable[..., Frames]:
    """Frames of a face that moves from left to right: ``face_frames(count)``, 240 x 320."""
    portrait = cv2.resize(
        skimage.data.astronaut()[0:220, 120:320], (180, 198), interpolation=cv2.INTER_AREA
    )

    def frames(count: int, phase: float = 0.0) -> Frames:
        for at in range(count):
            frame = np.full((240, 320, 3), 90, np.uint8)
            left = int(20 + 100 * at / max(count - 1, 1))
            top = int(21 + 10 * np.sin(phase + at / 5))
            frame[top : top + 198, left : left + 180] = portrait
            yield frame

    return frames


@pytest.fixture(scope="session")
def numbered_frames() -> Callable[[int], Frames]:
    """Flat frames whose brightness is their number: ``numbered_frames(count)``."""

    def frames(count: int) -> Frames:
        for at in range(count):
            yield np.full((64, 96, 3), round(20 + 200 * at / max(count - 1, 1)), np.uint8)

    return frames


@pytest.fixture(scope="session")
def face_video(
    tmp_path_factory: pytest.TempPathFactory,
    write_video: Callable[..., Path],
    face_frames: Callable[..., Frames],
) -> bytes:
    """The content of a video file of 24 frames with one moving face."""
    path = tmp_path_factory.mktemp("videos") / "face.mp4"
    return write_video(path, face_frames(24)).read_bytes()


@pytest.fixture
def add_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a package that adds something: ``add_package("dfsearch.layouts", "mine", code)``."""
    monkeypatch.syspath_prepend(tmp_path)

    def add(group: str, name: str, code: str, what: str = "IT", package: str = "other") -> None:
        module = f"{package}_code"
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(code)
        about = tmp_path / f"{package}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:{what}\n")

    return add


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real videos named by DFSEARCH_REAL_DATA; skips where it is not set."""
    folder = os.environ.get("DFSEARCH_REAL_DATA")
    if not folder:
        pytest.skip("DFSEARCH_REAL_DATA is not set: no real videos to test on")
    return Path(folder)


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Clip]:
    """One clip of a person who is a pattern of blobs: ``make_clip("anna", "fake", split="val")``.

    Patterns of two names differ like two faces; named values replace the others.
    """

    def make(person: str, kind: str = "real", /, count: int = 3, **values: Any) -> Clip:
        name = f"{person}_{kind}"
        rng = np.random.default_rng(list(name.encode()))
        noise = rng.normal(size=(count, 64, 64, 3))
        pattern = np.stack([cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in noise])
        pattern = 128 + 40 * pattern / pattern.std()
        frames = with_grey(np.clip(pattern, 0, 255).astype(np.uint8))
        boxes = np.tile(np.array([40, 30, 140, 150], np.float32), (count, 1))
        landmarks = np.array([[70, 70], [110, 70], [90, 95], [75, 120], [105, 120]], np.float32)
        media = Media("h264", 640, 480, 25.0, 100, 4.0, 100_000 + int(rng.integers(0, 50_000)))
        values = {
            "key": f"set/{kind}/c23/{person}",
            "label": int(kind != "real"),
            "method": kind,
            "quality": "c23",
            "group": person,
            "split": "train",
            "path": f"/set/{kind}/{person}.mp4",
            "sha256": hashlib.sha256(name.encode()).hexdigest(),
            "frame_indices": np.arange(count),
            "frame_times": np.arange(count) / 25,
            "boxes": boxes,
            "landmarks": np.stack([landmarks] * count),
            "scores": np.ones(count, np.float32),
            "coverage": 1.0,
            "frames": frames,
            "media": dataclasses.asdict(media),
        } | values
        if "shortcuts" not in values:
            looks = values["frames"], values["boxes"], values["landmarks"]
            values["shortcuts"] = measure(*looks, Media(**values["media"]))
        return Clip(**values)

    return make


@pytest.fixture(scope="session")
def exactly_bounded() -> Evaluation:
    """Of three reals, two fakes of one method found and, of another, one missed and one not."""
    found = evaluate(
        ScoredClips(
            np.array([0, 0, 0, 1, 1, 1, 1]),
            np.array([0.1, 0.3, 0.6, 0.9, 0.8, 0.2, 0.5]),
            np.arange(7).astype(str),
            np.array([*["real"] * 3, "swap", "swap", "paint", "paint"]),
            np.ones(7),
        ),
        split="test",
        threshold=0.5,
        quarantined=0,
    )
    assert found.bounds == {}
    return found


# Without ``if __name__ == "__main__"``, as a reader may write it; the settings are those of
# docs/python_api.md.
SEARCH = """
import dfsearch

dfsearch.prepare("videos", "prepared.h5", frames=4, size=32, jobs=2)
assert dfsearch.verify("ffpp.h5") == ()
run = dfsearch.search(
    "ffpp.h5",
    "runs/ffpp",
    preset="quick",
    space={"streams": ["spatial", "noise_residual"], "backbones": ["small_cnn"]},
    architecture={"trials": 1, "samples": 16},
    gan={"trials": 0},
    training={"trials": 0},
)
print(run, run.is_finished)
"""


@pytest.fixture(scope="session")
def example_folder(
    make_once: MakeOnce,
    make_clip: Callable[..., Clip],
    face_video: bytes,
    write_video: Callable[..., Path],
    numbered_frames: Callable[[int], Frames],
) -> Path:
    """The files that examples in docs and docstrings name, made once for all test processes.

    ``ffpp.h5`` and its finished run ``runs/ffpp``, ``runs/copy``, ``other.h5``, ``videos`` with
    the folders ``real`` and ``fake``, ``video.mp4`` and ``no_face.mp4``.
    """

    def make(folder: Path) -> None:
        for label in ("real", "fake"):
            (folder / "videos" / label).mkdir(parents=True)
            for person in range(4):
                path = folder / "videos" / label / f"{label}{person}.mp4"
                # A trailing box makes the files differ without touching the picture.
                path.write_bytes(face_video + b"\0\0\0\x10free" + path.name[:8].encode())
        (folder / "video.mp4").write_bytes(face_video)
        write_video(folder / "no_face.mp4", numbered_frames(24))
        description = {"clip": Preparation(size=128).to_dict(), "synthetic": True}
        for name, people in (("ffpp.h5", "abcdef"), ("other.h5", "uvwxyz")):
            clips = []
            for number, person in enumerate(people):
                split = ("train", "val", "test")[number // 2]
                colour = np.random.default_rng(ord(person)).integers(0, 255, (16, 128, 128, 3))
                frames = with_grey(colour.astype(np.uint8))
                clips += [
                    make_clip(person, kind, 16, split=split, frames=frames)
                    for kind in ("real", "fake")
                ]
            write_store(folder / name, clips, [], description)
        # Worker processes must not import the script; with -c there would be none to import.
        (folder / "script.py").write_text(SEARCH)
        done = subprocess.run(
            [sys.executable, "script.py"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert (done.stdout, done.stderr) == ("Run('runs/ffpp') True\n", "")
        shutil.copytree(folder / "runs" / "ffpp", folder / "runs" / "copy")

    return make_once("examples", make)


# A file system that refuses locks, or that cannot read the store's content.
REFUSING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int number(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

int flock(int file, int operation) {
    errno = number("FLOCK_ERRNO");
    return errno ? -1 : 0;
}

ssize_t pread(int file, void *buffer, size_t size, off_t offset) {
    ssize_t (*original)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread");
    if (number("PREAD_ERRNO") && offset > 0) {
        errno = number("PREAD_ERRNO");
        return -1;
    }
    return original(file, buffer, size, offset);
}

ssize_t pread64(int file, void *buffer, size_t size, off_t offset) {
    return pread(file, buffer, size, offset);
}
"""


@pytest.fixture(scope="session")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library for LD_PRELOAD: flock and pread fail with FLOCK_ERRNO and PREAD_ERRNO."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler, to imitate a file system without locks")
    folder = tmp_path_factory.mktemp("refusing")
    (folder / "refusing.c").write_text(REFUSING)
    library = folder / "refusing.so"
    command = [compiler, "-shared", "-fPIC", "-o", library, folder / "refusing.c", "-ldl"]
    subprocess.run(command, check=True)
    return library
