"""One video made into one clip: sampled, its face tracked, cropped and stacked."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError, VideoError
from data_prep.faces import CenterFace, Detection, FaceTrack, crop, crop_boxes, track
from data_prep.modalities import with_grey
from data_prep.text import printable
from data_prep.video import read_frames

DETECTORS = ("centerface",)


class FaceDetector(Protocol):
    """Anything that finds faces in one RGB frame, uint8 (H, W, 3)."""

    def detect(self, frame: npt.NDArray[np.uint8]) -> list[Detection]:
        """Faces in source pixels."""


@dataclasses.dataclass(frozen=True)
class Preparation:
    """How a video becomes a clip; the same values prepare an unlabelled video for a verdict.

    Args:
        frames: sampled frames a clip, T.
        size: side of the face crop in pixels.
        margin: side of the square cut out, in sides of the face box.
        detector: name of the face detector, ``centerface``.
        detection_side: long side of the frame the detector sees, in pixels.
        detection_threshold: lowest score of a face, above 0 and below 1.
        min_coverage: lowest fraction of sampled frames in which the face must be found.

    Raises:
        UserError: a value is out of range.
    """

    frames: int = 16
    size: int = 128
    margin: float = 1.3
    detector: str = "centerface"
    detection_side: int = 320
    detection_threshold: float = 0.5
    min_coverage: float = 0.5

    def __post_init__(self) -> None:
        _check_whole_number("frames", self.frames, 1, 1024)
        _check_whole_number("size", self.size, 16, 1024)
        _check_number("margin", self.margin, 1.0, 4.0)
        if self.detector not in DETECTORS:
            raise UserError(
                f"detector must be one of {', '.join(DETECTORS)}; received {self.detector!r}"
            )
        _check_whole_number("detection_side", self.detection_side, 64, 4096)
        _check_number("detection_threshold", self.detection_threshold, 0.01, 0.99)
        _check_number("min_coverage", self.min_coverage, 0.0, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """The values as JSON can hold them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preparation:
        """The preparation :meth:`to_dict` was called on.

        Raises:
            UserError: a name is unknown or a value is out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise UserError(
                f"unknown preparation setting {', '.join(unknown)}; known: {', '.join(known)}"
            )
        return cls(**values)


def _check_whole_number(name: str, value: object, low: int, high: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and low <= value <= high):  # type: ignore[operator]
        raise UserError(f"{name} must be a whole number from {low} to {high}; received {value!r}")


def _check_number(name: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and low <= value <= high):  # type: ignore[operator]
        raise UserError(f"{name} must be a number from {low} to {high}; received {value!r}")


@dataclasses.dataclass(frozen=True)
class PreparedClip:
    """One video made into a clip.

    Attributes:
        frames: uint8 (T, size, size, 4), the face crop as R, G, B and grey.
        indices: int64 (T,), positions of the frames in the video.
        times: float64 (T,), seconds.
        track: the face the crops follow.
        sha256: of the video file, hexadecimal.
    """

    frames: npt.NDArray[np.uint8]
    indices: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    track: FaceTrack
    sha256: str


def make_detector(preparation: Preparation) -> FaceDetector:
    """The face detector a preparation names.

    Raises:
        UserError: its model file is missing or damaged.
    """
    return CenterFace(preparation.detection_side, preparation.detection_threshold)


def prepare_clip(
    path: Path,
    preparation: Preparation,
    detector: FaceDetector | None = None,
    *,
    decoder_threads: int = 0,
) -> PreparedClip:
    """Sample, detect, track and crop one video.

    Args:
        path: the video file.
        preparation: how.
        detector: from :func:`make_detector`; made anew if None, so pass one for many videos.
        decoder_threads: 0 lets the decoder choose; the clip does not depend on it.

    Raises:
        VideoError: the video cannot be used; ``step`` is ``decode`` or ``faces``.
        UserError: the detector's model file is missing or damaged.
    """
    detector = detector or make_detector(preparation)
    with _failing_as("decode"):
        sampled = read_frames(path, preparation.frames, threads=decoder_threads)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with _failing_as("faces"):
        found: list[list[Detection]] = []
        for at, frame in enumerate(sampled.frames):
            repeated = at > 0 and frame is sampled.frames[at - 1]
            found.append(found[-1] if repeated else detector.detect(frame))
        face = track(found, sampled.frames[0].shape[:2])
        if face.coverage < preparation.min_coverage:
            raise VideoError(
                "faces",
                f"face found in {np.count_nonzero(face.scores)} of {preparation.frames} sampled "
                f"frames; at least {preparation.min_coverage:.0%} are needed",
            )
        crops = [
            crop(frame, box, preparation.size, preparation.margin)
            for frame, box in zip(sampled.frames, crop_boxes(face.boxes), strict=True)
        ]
        frames = with_grey(np.stack(crops))
    return PreparedClip(frames, sampled.indices, sampled.times, face, sha256)


@contextlib.contextmanager
def _failing_as(step: str) -> Iterator[None]:
    """Turn whatever one video makes fail into a VideoError of this step."""
    try:
        yield
    except (VideoError, UserError):
        raise
    except MemoryError:
        raise VideoError(step, "not enough memory for this video") from None
    except Exception as error:
        text = " ".join(printable(str(error)).split())
        raise VideoError(step, f"{type(error).__name__}: {text}"[:300]) from error
