"""Speed of predictions and its parts: ``python -m bench.prediction``.

Whole 720p videos are predicted like by ``dfsearch predict`` with the network of the quick preset:
EfficientNet-Lite0 on every frame of clips of 128 px. (A search may choose every second or fourth
frame.) The built-in video is of a SYNTHETIC person; with ``DFSEARCH_REAL_DATA`` there are real
ones of FaceForensics++ of the same size. Decoding and prediction take turns on each. The head of
the network is untrained, which does not affect the time.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import tempfile
from pathlib import Path

import numpy as np
from rich.table import Table

from artifacts.quiet import import_tensorflow
from bench.shared.timing import describe_machine, time_run
from bench.shared.videos import make_hd_video

import_tensorflow()

import keras  # noqa: E402

from artifacts.prediction.clip_windows import choose_pace  # noqa: E402
from artifacts.prediction.frame_order import is_blind_to_order  # noqa: E402
from artifacts.prediction.predict import TRAINED_ON  # noqa: E402
from artifacts.prediction.video_frames import FACES, MODEL, Watcher  # noqa: E402
from data_prep.preparation.clip import Preparation, make_detector  # noqa: E402
from data_prep.video.video import scan_frames  # noqa: E402
from search.cli.console import log, tables  # noqa: E402
from search.detectors.space import build_detector  # noqa: E402
from search.studies.hyperparameters import fixed_hyperparameters  # noqa: E402
from spaces.detector import detector_space  # noqa: E402
from spaces.streams.spatial import SpatialBlock  # noqa: E402
from spaces.streams.temporal import TemporalBlock  # noqa: E402

SIZE = 128
REAL = "ffpp/manipulated_sequences/Deepfakes/c23/videos"


@dataclasses.dataclass(frozen=True)
class VideoTiming:
    """One video predicted with clips of one length.

    Attributes:
        video: Name.
        frames: Frames of a clip.
        duration: Duration of the video, seconds.
        decoding: Median seconds of decoding only.
        judging: Median seconds of a prediction, decoding included.
        faces, model: Shares of a prediction for faces with their crops, and for the network.
        cores: Cores kept busy by the prediction.
        others: Cores kept busy by other programs.
    """

    video: str
    frames: int
    duration: float
    decoding: float
    judging: float
    faces: float
    model: float
    cores: float
    others: float


def measure(video: str, path: Path, watcher: Watcher, rounds: int) -> VideoTiming:
    """Decode and predict a video in turns, and return the row."""
    none = np.zeros(1, np.int64)
    watcher.read(path)
    decoding, judging, cores, others, spent = [], [], [], [], {FACES: 0.0, MODEL: 0.0}
    duration = 0.0
    for _ in range(rounds):
        decoding.append(
            time_run(lambda: scan_frames(path, 1, lambda *_: none, lambda *_: None, held=1)).wall
        )
        before = dict(watcher.spent)
        seen = []
        time = time_run(lambda: seen.append(watcher.read(path)))  # noqa: B023
        judging.append(time.wall)
        cores.append(time.cpu / time.wall)
        others.append(time.others / time.wall)
        spent = {step: spent[step] + watcher.spent[step] - before[step] for step in spent}
        duration = seen[0].media.duration
    return VideoTiming(
        video=video,
        frames=watcher.pace.frames,
        duration=duration,
        decoding=statistics.median(decoding),
        judging=statistics.median(judging),
        faces=spent[FACES] / sum(judging),
        model=spent[MODEL] / sum(judging),
        cores=statistics.mean(cores),
        others=statistics.mean(others),
    )


def build_watcher(frames: int) -> Watcher:
    """Return a watcher with clips of this many frames."""
    shape = (frames, SIZE, SIZE, 4)
    graph = detector_space(
        shape,
        streams=("spatial",),
        spatial=SpatialBlock(backbones=("efficientnet_lite0",), frame_stride=1),
        temporal=TemporalBlock(kind="mean"),
    )
    model: keras.Model = build_detector(graph, fixed_hyperparameters({}), 0)
    preparation = Preparation(frames=frames, size=SIZE)
    blind = is_blind_to_order(model)
    pace = choose_pace(frames, TRAINED_ON, by_frames_alone=blind)
    return Watcher(model, preparation, make_detector(preparation), pace, any_order=blind)


def make_videos(folder: Path, seconds: int, count: int) -> dict[str, Path]:
    """Return the videos by name."""
    found = {f"synthetic, {seconds} s": make_hd_video(folder, seconds)}
    real = os.environ.get("DFSEARCH_REAL_DATA")
    if real:
        for path in sorted((Path(real) / REAL).glob("*.mp4"))[:count]:
            found[f"FaceForensics++ {path.stem}"] = path
    return found


def build_table(rows: list[VideoTiming]) -> Table:
    """Return a table with a row for each video and clip length."""
    shown = Table(title="seconds of 720p video per second, and shares of the time")
    for name in ("video", "frames a clip"):
        shown.add_column(name)
    for name in ("decoded", "predicted", "decoding", "faces", "network", "cores", "others"):
        shown.add_column(name, justify="right")
    for row in rows:
        shown.add_row(
            f"{row.video} ({row.duration:.1f} s)",
            str(row.frames),
            f"{row.duration / row.decoding:.1f}",
            f"{row.duration / row.judging:.1f}",
            f"{1 - row.faces - row.model:.0%}",
            f"{row.faces:.0%}",
            f"{row.model:.0%}",
            f"{row.cores:.1f}",
            f"{row.others:.1f}",
        )
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.prediction", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seconds", type=int, default=20, help="duration of the synthetic video")
    parser.add_argument("--frames", type=int, nargs="+", default=[16], help="frames of a clip")
    parser.add_argument("--real", type=int, default=3, help="maximum number of real videos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        found = make_videos(Path(folder), chosen.seconds, chosen.real)
        for frames in chosen.frames:
            watcher = build_watcher(frames)
            for name, path in found.items():
                rows.append(measure(name, path, watcher, chosen.rounds))
                log.print(f"{name}, clips of {frames}: {rows[-1].judging:.1f} s")
    if chosen.json:
        rows_json = [dataclasses.asdict(row) for row in rows]
        print(json.dumps({"machine": describe_machine(), "rows": rows_json}, indent=1))
    else:
        tables().print(build_table(rows))
        print(describe_machine())


if __name__ == "__main__":
    main()
