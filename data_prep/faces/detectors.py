"""The face detectors by name."""

from __future__ import annotations

from pathlib import Path

from data_prep.errors import UserError
from data_prep.faces.centerface import CenterFace
from data_prep.faces.detection import FaceDetector
from data_prep.faces.mtcnn import Mtcnn
from data_prep.faces.yunet import YuNet

DETECTORS = ("centerface", "mtcnn", "yunet")


def make_detector(
    name: str, *, side: int = 320, threshold: float = 0.5, model: Path | None = None
) -> FaceDetector:
    """The face detector of a name.

    Args:
        name: ``centerface``; ``mtcnn``, which needs the extra of that name; or ``yunet``, which
            needs a model file.
        side: larger frames are scaled down until their long side is this, in pixels.
        threshold: lowest score of a detection.
        model: the model file of ``yunet``; the others bring their own.

    Raises:
        UserError: the name is unknown, or what the detector needs is missing or damaged.
    """
    if name not in DETECTORS:
        raise UserError(f"detector must be one of {', '.join(DETECTORS)}; received {name!r}")
    if name == "yunet":
        return YuNet(model, side, threshold)
    if model is not None:
        raise UserError(f"the face detector {name} brings its own model; leave out {model}")
    return CenterFace(side, threshold) if name == "centerface" else Mtcnn(side, threshold)
