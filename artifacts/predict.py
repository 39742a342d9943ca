"""A verdict on a raw video: prepared as the training clips were, scored by the exported model."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from artifacts.averaging import average, windows_of
from artifacts.export import load_detector
from artifacts.run_directory import RunDirectory
from artifacts.scoring import probabilities
from data_prep.clip import MAIN, Preparation, PreparedClip, make_detector, prepare_clips
from data_prep.errors import UserError, VideoError
from data_prep.faces.detection import FaceDetector
from data_prep.text import printable

MOST_FRAMES = 1024


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the detector says of one video.

    Attributes:
        path: the video.
        fake_probability: calibrated, 0 to 1.
        verdict: ``fake`` at or above the threshold, else ``real``.
        threshold: fitted on validation and frozen with the model.
        coverage: fraction of the frames looked at in which the face was found.
        faces: frames in which it was found.
        windows: clips of the video whose logits were averaged.
        seconds: decoding, faces and scoring.
    """

    path: str
    fake_probability: float
    verdict: str
    threshold: float
    coverage: float
    faces: int
    windows: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class NoVerdict:
    """A video that cannot be judged, and why."""

    path: str
    error: str


def predict(
    run: RunDirectory,
    paths: Iterable[Path],
    *,
    windows: int = 1,
    detector_model: Path | None = None,
) -> Iterator[Verdict | NoVerdict]:
    """Judge videos one by one, in the order given.

    With several windows so many times more frames are taken of a video, and dealt out to as many
    clips, each of which runs over the whole video at the distances between frames that the model
    knows; their logits are averaged. A video too short for that has one.

    Args:
        run: a finished run.
        paths: video files.
        windows: clips of each video; 1 for the one that a store would hold.
        detector_model: model file of the face detector, where it is no longer where it was when
            the store was prepared.

    Raises:
        UserError: the run has no model, its files are not what its certificate says, the face
            detector's model file is missing, or there cannot be so many windows.
    """
    model, certificate = load_detector(run)
    most = MOST_FRAMES // certificate.clip_preparation.frames
    if not 1 <= windows <= most:
        raise UserError(f"there can be 1 to {most} windows; received {windows}")
    # The model takes the main face alone, and of what may lie beside it what it was built on.
    changes: dict[str, Any] = {"faces": MAIN, "modalities": certificate.modalities}
    if detector_model is not None:
        changes["detector_model"] = str(detector_model)
    preparation = dataclasses.replace(certificate.clip_preparation, **changes)
    threshold = certificate.threshold
    detector = make_detector(preparation)
    for path in paths:
        started = time.monotonic()
        name = printable(str(path))
        if not path.is_file():
            found = "is a folder, not a video" if path.is_dir() else "there is no such file"
            yield NoVerdict(name, found)
            continue
        try:
            clip, taken = _clip_of(path, preparation, windows, detector)
        except VideoError as error:
            yield NoVerdict(name, str(error))
            continue
        batch = windows_of({"frames": clip.frames} | clip.modalities, taken)
        answers = probabilities(model, batch)
        # One window is the model's own answer, to the last bit.
        probability = float(answers[0] if taken == 1 else average(answers))
        yield Verdict(
            path=name,
            fake_probability=probability,
            verdict="fake" if probability >= threshold else "real",
            threshold=threshold,
            coverage=float(clip.track.coverage),
            faces=int(np.count_nonzero(clip.track.scores > 0)),
            windows=taken,
            seconds=round(time.monotonic() - started, 3),
        )


def _clip_of(
    path: Path, preparation: Preparation, windows: int, detector: FaceDetector
) -> tuple[PreparedClip, int]:
    """The clip of a video with the frames of all its windows, and how many these are.

    Raises:
        VideoError: the video cannot be used, not even for one window.
    """
    if windows > 1:
        wider = dataclasses.replace(preparation, frames=windows * preparation.frames)
        with contextlib.suppress(VideoError):
            return prepare_clips(path, wider, detector)[0], windows
    return prepare_clips(path, preparation, detector)[0], 1


def to_json(answer: Verdict | NoVerdict) -> dict[str, Any]:
    """Plain values."""
    return dataclasses.asdict(answer)
