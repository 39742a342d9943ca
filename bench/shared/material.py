"""Videos to measure on: real ones where there are some, and synthetic ones of known length."""

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
        name: what the table calls it.
        root: the folder.
        videos: in it, originals first, as preparation takes them.
    """

    name: str
    root: Path
    videos: tuple[Video, ...]


def real_sets(folder: Path | None) -> list[VideoSet]:
    """The data sets below a folder of real videos."""
    if folder is None:
        return []
    roots = [folder / name for name in REAL_SETS if (folder / name).is_dir()]
    return [_indexed(root.name, root) for root in roots]


def long_set(folder: Path) -> VideoSet:
    """Synthetic videos as long as those of FaceForensics++ are in the middle: 12 s, 480 px."""
    return _drawn("synthetic, 300 frames of 480 px", folder, identities=4, frames=300, size=480)


def short_set(folder: Path) -> VideoSet:
    """Synthetic videos as the demo has them: 32 frames, of which half are kept."""
    return _drawn("synthetic, 32 frames of 256 px", folder, identities=8, frames=32, size=256)


def _drawn(name: str, folder: Path, *, identities: int, frames: int, size: int) -> VideoSet:
    root = folder / f"synthetic-{frames}-{size}"
    if not (root / datasets.SYNTHETIC_MARKER).exists():
        synthesize(root, identities=identities, frames=frames, size=size, jobs=-1)
    return _indexed(name, root)


def _indexed(name: str, root: Path) -> VideoSet:
    videos = datasets.index(root).videos
    ordered = sorted(videos, key=lambda video: (video.label != REAL, video.key))
    return VideoSet(name, root, tuple(ordered))


def full_hd(folder: Path, seconds: int) -> Path:
    """A synthetic person in 1920 x 1080, at 25 frames a second, for so many seconds."""
    return _in_front(folder, seconds, 1920, 1080)


def hd(folder: Path, seconds: int) -> Path:
    """The same in 1280 x 720."""
    return _in_front(folder, seconds, 1280, 720)


def _in_front(folder: Path, seconds: int, width: int, height: int) -> Path:
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


def nobody(number: int, frames: npt.NDArray[np.uint8]) -> Clip:
    """A clip for benches to which it does not matter who is in it; every other one is a fake.

    Args:
        number: of the clip, which is its key.
        frames: uint8 (T, S, S, 4).
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
