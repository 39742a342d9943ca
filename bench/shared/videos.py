"""Videos and clips of several benches: real data sets and SYNTHETIC ones of known length."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
from imageio_ffmpeg import get_ffmpeg_exe

from data_prep import datasets
from data_prep.datasets import Video
from data_prep.store.format import REAL, Clip
from data_prep.synthetic.synthesize import synthesize, synthesize_clip

REAL_SETS = ("ffpp", "ffpp_methods", "celebdf")


@dataclasses.dataclass(frozen=True)
class VideoSet:
    """A labelled folder.

    Attributes:
        name: Name in tables.
        root: Folder.
        videos: Its videos, originals first, the order of preparation.
    """

    name: str
    root: Path
    videos: tuple[Video, ...]


def list_real_sets(folder: Path | None) -> list[VideoSet]:
    """Return the data sets in a folder of real videos."""
    if folder is None:
        return []
    roots = [folder / name for name in REAL_SETS if (folder / name).is_dir()]
    return [_index(root.name, root) for root in roots]


def make_long_set(folder: Path) -> VideoSet:
    """Return SYNTHETIC videos of the median length in FaceForensics++: 12 s, 480 px."""
    return _make_set("synthetic, 300 frames of 480 px", folder, identities=4, frames=300, size=480)


def make_short_set(folder: Path) -> VideoSet:
    """Return the SYNTHETIC videos of the demo: 32 frames, half of them prepared."""
    return _make_set("synthetic, 32 frames of 256 px", folder, identities=8, frames=32, size=256)


def _make_set(name: str, folder: Path, *, identities: int, frames: int, size: int) -> VideoSet:
    root = folder / f"synthetic-{frames}-{size}"
    if not (root / datasets.SYNTHETIC_MARKER).exists():
        synthesize(root, identities=identities, frames=frames, size=size, jobs=-1)
    return _index(name, root)


def _index(name: str, root: Path) -> VideoSet:
    videos = datasets.index(root).videos
    ordered = sorted(videos, key=lambda video: (video.label != REAL, video.key))
    return VideoSet(name, root, tuple(ordered))


def make_full_hd_video(folder: Path, seconds: int) -> Path:
    """Return a SYNTHETIC person in 1920 x 1080, at 25 frames a second."""
    return _make_video(folder, seconds, 1920, 1080)


def make_uhd_video(folder: Path, seconds: int) -> Path:
    """Return a SYNTHETIC person in 3840 x 2160, at 25 frames a second."""
    return _make_video(folder, seconds, 3840, 2160)


def make_hd_video(folder: Path, seconds: int) -> Path:
    """Return a SYNTHETIC person in 1280 x 720, at 25 frames a second."""
    return _make_video(folder, seconds, 1280, 720)


def _make_video(folder: Path, seconds: int, width: int, height: int) -> Path:
    path = folder / f"{height}p-{seconds}s.mp4"
    if not path.exists():
        clip = synthesize_clip(folder / "person.mp4", fake=False, frames=100, size=256)
        partial = path.with_name(f"partial-{path.name}")
        command = [get_ffmpeg_exe(), "-y", "-v", "error", "-stream_loop", "-1", "-i", str(clip)]
        filters = f"scale={height}:{height},pad={width}:{height}:{(width - height) // 2}:0"
        command += ["-t", str(seconds), "-vf", filters]
        command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"]
        subprocess.run([*command, str(partial)], check=True)
        partial.replace(path)
    return path


def make_clip(number: int, frames: npt.NDArray[np.uint8]) -> Clip:
    """Return a clip without a meaningful identity; clips with odd numbers are fakes.

    Args:
        number: Number of the clip, which is its key.
        frames: Frames, uint8 (T, S, S, 4).
    """
    count = len(frames)
    return Clip(
        key=f"{number:06d}",
        label=number % 2,
        method="synthetic" if number % 2 else "real",
        quality="unknown",
        group=str(number),
        split="train",
        path="",
        sha256="",
        frame_indices=np.arange(count),
        frame_times=np.arange(count) / 25,
        boxes=np.zeros((count, 4), np.float32),
        landmarks=np.zeros((count, 5, 2), np.float32),
        scores=np.ones(count, np.float32),
        coverage=1.0,
        frames=frames,
    )
