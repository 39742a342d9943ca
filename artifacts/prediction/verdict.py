"""Answers on a video: a verdict with all its faces, or the reason that there is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from artifacts.prediction.timeline import Moment, Segment
from artifacts.prediction.undecided_band import Band

if TYPE_CHECKING:
    from artifacts.prediction.video_frames import Watched


@dataclasses.dataclass(frozen=True)
class FaceVerdict:
    """Verdict on one face of a video.

    Attributes:
        number: Number of the face, from 1; judged faces first, the longest seen first.
        probability: Calibrated probability that the face is fake, 0 to 1; None without a verdict.
        label: ``real``, ``fake`` or ``undecided``; None without a verdict.
        reason: Reason for no verdict; empty with one.
        coverage: Fraction of the frames of the judging clips in which the face was found.
        frames: Frames in which these clips found it.
        windows: Clips whose logits were averaged.
        start, end: Seconds between which the face is seen.
        pixels: Larger side of its box.
        timeline: Its clips by time; the sliding clips where the video is long enough.
        segments: Stretches with the label ``fake``; overlapping clips are averaged.
    """

    number: int
    probability: float | None
    label: str | None
    reason: str
    coverage: float
    frames: int
    windows: int
    start: float
    end: float
    pixels: int
    timeline: tuple[Moment, ...]
    segments: tuple[Segment, ...]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Verdict on one video: that on its face with the highest probability.

    So a video is fake if any face is fake, else undecided if any is undecided, else real.

    Attributes:
        path: The video.
        probability: Calibrated probability that the video is fake, 0 to 1.
        label: ``fake``, ``real`` or ``undecided`` by ``band``; without a band, ``fake`` at or
            above the threshold, else ``real``.
        threshold: Threshold fitted on validation and frozen with the model.
        coverage: Fraction of the sampled frames in which the deciding face was found.
        frames: Frames in which it was found.
        windows: Clips of the video whose logits were averaged.
        seconds: Time for decoding, faces and scoring.
        duration: Length of the video in seconds; 0 for a picture.
        band: Probabilities that leave a video undecided; None without a band.
        faces: Every face, judged ones first.
    """

    path: str
    probability: float
    label: str
    threshold: float
    coverage: float
    frames: int
    windows: int
    seconds: float
    duration: float
    band: Band | None
    faces: tuple[FaceVerdict, ...]

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Stretches in which a face has the label ``fake``, of all faces, by time."""
        found = [segment for face in self.faces for segment in face.segments]
        return tuple(sorted(found, key=lambda segment: (segment.start, segment.end)))

    def to_json(self) -> dict[str, Any]:
        """Return plain values, under the names that ``dfsearch predict --json`` prints."""
        return _plain(dataclasses.asdict(self))


@dataclasses.dataclass(frozen=True)
class NoVerdict:
    """A video that cannot be judged.

    Attributes:
        path: The video.
        error: The reason, in one line.
    """

    path: str
    error: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Judged:
    """An answer and its material.

    Attributes:
        answer: The verdict, or the reason that there is none.
        watched: Content of the video; None if it could not be read.
        faces: Verdicts on every face, also without one on the video.
        numbers: Numbers of ``faces`` by the numbers of the faces in ``watched``.
    """

    answer: Verdict | NoVerdict
    watched: Watched | None = None
    faces: tuple[FaceVerdict, ...] = ()
    numbers: Mapping[int, int] = dataclasses.field(default_factory=dict)


# Programs read the output under these names.
_IN_JSON = {
    "label": "verdict",
    "probability": "fake_probability",
    "faces": "tracks",
    "frames": "faces",
    "number": "face",
}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_IN_JSON.get(name, name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
