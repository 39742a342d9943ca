"""The face detectors by name, those of other installed packages too."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import plugins
from data_prep.errors import UserError
from data_prep.faces.centerface import CenterFace
from data_prep.faces.detection import Detection, FaceDetector
from data_prep.faces.mtcnn import Mtcnn
from data_prep.faces.yunet import YuNet

DETECTORS = ("centerface", "mtcnn", "yunet")
_NUMBERS = ("side", "threshold", "second_threshold")


def names() -> tuple[str, ...]:
    """Return the names of all available face detectors.

    Raises:
        UserError: a package uses a name that is already taken.
    """
    return (*DETECTORS, *plugins.find_plugins(plugins.DETECTORS, DETECTORS))


def make_detector(
    name: str, *, side: int = 320, threshold: float = 0.5, model: Path | None = None
) -> FaceDetector:
    """Return the face detector of a name.

    Args:
        name: ``centerface``; ``mtcnn``, which needs the extra of that name; or ``yunet``, which
            needs a model file; or one that an installed package adds.
        side: larger frames are scaled down until their long side is this, in pixels.
        threshold: lowest score of a detection.
        model: the model file of ``yunet``, or of one of another package that takes ``model``; the
            others bring their own.

    Raises:
        UserError: the name is unknown, a file or package of the detector is missing or damaged, or
            a package adds an object that is no face detector.
    """
    others = plugins.find_plugins(plugins.DETECTORS, DETECTORS)
    if name in others:
        return _added(others[name], side, threshold, model)
    if name not in DETECTORS:
        known = ", ".join([*DETECTORS, *others])
        raise UserError(
            f"detector must be one of {known}; received {name!r}; choose one of them or install "
            "the package that adds it"
        )
    if name == "yunet":
        return YuNet(model, side, threshold)
    if model is not None:
        raise UserError(f"the face detector {name} has its own model; leave out {model}")
    return CenterFace(side, threshold) if name == "centerface" else Mtcnn(side, threshold)


def _added(plugin: plugins.Plugin, side: int, threshold: float, model: Path | None) -> FaceDetector:
    """Return a face detector of another package after a test on a picture without a face."""
    made = plugin.load()
    with plugin.running():
        takes = inspect.signature(made).parameters
    given: dict[str, Any] = {"side": side, "threshold": threshold}
    if model is not None:
        if "model" not in takes:
            raise UserError(f"{plugin} has its own model; leave out {model}")
        given["model"] = model
    with plugin.running():
        detector: FaceDetector = made(**given)
        for name in _NUMBERS:
            if not isinstance(getattr(detector, name, None), int | float):
                raise plugin.refusal(f"lacks the number {name}; see data_prep.faces.detection")
        found = detector.detect(np.zeros((64, 64, 3), np.uint8), side=64, threshold=0.5)
    if not isinstance(found, list) or not all(isinstance(face, Detection) for face in found):
        raise plugin.refusal(f"gives {type(found).__name__}, expected a list of Detection")
    return detector
