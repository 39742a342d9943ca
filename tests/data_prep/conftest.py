"""Videos of every kind, made by the ffmpeg program that comes with moviepy."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
import pytest


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., None]:
    """Run ffmpeg with these arguments: ``ffmpeg(*arguments, feed=b"")``."""
    program = imageio_ffmpeg.get_ffmpeg_exe()

    def run(*arguments: object, feed: bytes = b"") -> None:
        command = [program, "-v", "error", "-y", *map(str, arguments)]
        done = subprocess.run(command, input=feed, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    return run


@pytest.fixture(scope="session")
def encode(ffmpeg: Callable[..., None]) -> Callable[..., Path]:
    """Encode RGB frames, 25 a second: ``encode(path, frames, *output_options)``."""

    def write(path: Path, frames: Iterable[npt.NDArray[np.uint8]], *options: object) -> Path:
        pictures = np.stack(list(frames))
        height, width = pictures.shape[1:3]
        path.parent.mkdir(parents=True, exist_ok=True)
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25"]
        ffmpeg(*source, "-i", "-", *options, f"file:{path}", feed=pictures.tobytes())
        return path

    return write
