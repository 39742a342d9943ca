"""What is said of a video: a verdict with all its faces, or why there is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from artifacts.prediction.timeline import Moment, Segment
from artifacts.prediction.verdicts import Band
from artifacts.prediction.video_frames import Watched


@dataclasses.dataclass(frozen=True)
class FaceVerdict:
    """What the detector says of one face of a video.

    Attributes:
        face: from 1 on, those that were judged first, the most seen first.
        fake_probability: calibrated, 0 to 1; None where there is no answer.
        verdict: ``real``, ``fake``, ``undecided`` or None.
        reason: why there is no answer; empty where there is one.
        coverage: fraction of the frames looked at, by the clips that judge, in which it was found.
        faces: frames in which these clips found it.
        windows: clips whose logits were averaged.
        start, end: when it is seen, in seconds.
        pixels: the larger side of its box.
        timeline: its clips by time, the sliding ones where the video is long enough for them.
        segments: where it is called fake; clips that overlap are averaged.
    """

    face: int
    fake_probability: float | None
    verdict: str | None
    reason: str
    coverage: float
    faces: int
    windows: int
    start: float
    end: float
    pixels: int
    timeline: tuple[Moment, ...]
    segments: tuple[Segment, ...]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the detector says of one video: what it says of the face that looks most like a fake.

    So a video is fake where any face that its clips cover sufficiently is fake, else undecided
    where any is undecided, else real.

    Attributes:
        path: the video.
        fake_probability: calibrated, 0 to 1.
        verdict: ``fake``, ``real`` or ``undecided`` as ``band`` has it; without one, ``fake`` at or
            above the threshold, else ``real``.
        threshold: fitted on validation and frozen with the model.
        coverage: fraction of the frames looked at in which the face was found.
        faces: frames in which it was found.
        windows: clips of the video whose logits were averaged.
        seconds: decoding, faces and scoring.
        duration: of the video in seconds; 0 of a picture.
        band: which probabilities leave it undecided; None where there can be no such band.
        tracks: every face, judged ones first.
    """

    path: str
    fake_probability: float
    verdict: str
    threshold: float
    coverage: float
    faces: int
    windows: int
    seconds: float
    duration: float
    band: Band | None
    tracks: tuple[FaceVerdict, ...]


@dataclasses.dataclass(frozen=True)
class NoVerdict:
    """A video that cannot be judged, and why."""

    path: str
    error: str


@dataclasses.dataclass(frozen=True)
class Judged:
    """An answer and what it rests on.

    Attributes:
        answer: the verdict, or why there is none.
        watched: what was seen; None where the video could not be read.
        tracks: what is said of every face, with or without a verdict on the video.
        numbers: of ``tracks``, by those of the faces in ``watched``.
    """

    answer: Verdict | NoVerdict
    watched: Watched | None = None
    tracks: tuple[FaceVerdict, ...] = ()
    numbers: Mapping[int, int] = dataclasses.field(default_factory=dict)


def to_json(answer: Verdict | NoVerdict) -> dict[str, Any]:
    """Plain values, as JSON has them."""
    values: dict[str, Any] = _plain(dataclasses.asdict(answer))
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
