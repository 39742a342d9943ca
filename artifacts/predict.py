"""A verdict on a raw video: prepared as the training clips were, scored by the exported model."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from artifacts.export import load_detector
from artifacts.run_directory import RunDirectory
from artifacts.scoring import probabilities
from data_prep.clip import MAIN, make_detector, prepare_clips
from data_prep.errors import VideoError
from data_prep.text import printable


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
        seconds: decoding, faces and scoring.
    """

    path: str
    fake_probability: float
    verdict: str
    threshold: float
    coverage: float
    faces: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class NoVerdict:
    """A video that cannot be judged, and why."""

    path: str
    error: str


def predict(
    run: RunDirectory, paths: Iterable[Path], *, detector_model: Path | None = None
) -> Iterator[Verdict | NoVerdict]:
    """Judge videos one by one, in the order given.

    Args:
        run: a finished run.
        paths: video files.
        detector_model: model file of the face detector, where it is no longer where it was when
            the store was prepared.

    Raises:
        UserError: the run has no model, its files are not what its certificate says, or the face
            detector's model file is missing.
    """
    model, certificate = load_detector(run)
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
            clip = prepare_clips(path, preparation, detector)[0]
        except VideoError as error:
            yield NoVerdict(name, str(error))
            continue
        arrays = {"frames": clip.frames} | clip.modalities
        batch = {name: array[None] for name, array in arrays.items()}
        probability = float(probabilities(model, batch)[0])
        yield Verdict(
            path=name,
            fake_probability=probability,
            verdict="fake" if probability >= threshold else "real",
            threshold=threshold,
            coverage=float(clip.track.coverage),
            faces=int(np.count_nonzero(clip.track.scores > 0)),
            seconds=round(time.monotonic() - started, 3),
        )


def to_json(answer: Verdict | NoVerdict) -> dict[str, Any]:
    """Plain values."""
    return dataclasses.asdict(answer)
