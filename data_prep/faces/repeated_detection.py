"""Repeated detection in frames in which a detector found no face."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.faces.detection import Detection, FaceDetector

# Ways to look: the border mirrored around the frame, in long sides of it, and the side the
# detector works on, in its own. A face that fills the frame is found when it is seen smaller or
# with something around it, one that is far away when it is seen larger.
_WAYS = ((0.0, 0.5), (0.0, 2.0), (0.5, 2.0), (1.0, 1.0))


def detect_again(detector: FaceDetector, frame: npt.NDArray[np.uint8]) -> list[Detection]:
    """Detect the faces of a frame in which ``detector.detect`` found none.

    The frame is examined smaller and larger, and with its mirror image around it. The first attempt
    with a face above the detector's threshold ends the search. Without one, the best attempt above
    the threshold of second attempts counts.

    Args:
        detector: detector, called up to four more times.
        frame: uint8 (H, W, 3), RGB.

    Returns:
        Faces in the pixels of the frame, best score first; their centres lie inside it.
    """
    doubtful: list[Detection] = []
    for border, side in _WAYS:
        faces = _look(detector, frame, border, max(1, round(side * detector.side)))
        found = [face for face in faces if face.score >= detector.threshold]
        if found:
            return found
        doubtful = max(doubtful, faces, key=lambda some: some[0].score if some else 0.0)
    return doubtful


def _look(
    detector: FaceDetector, frame: npt.NDArray[np.uint8], border: float, side: int
) -> list[Detection]:
    height, width = frame.shape[:2]
    pixels = round(border * max(height, width))
    if pixels:
        wide = cv2.copyMakeBorder(frame, pixels, pixels, pixels, pixels, cv2.BORDER_REFLECT_101)
        frame = np.asarray(wide, np.uint8)
    faces = []
    for face in detector.detect(frame, side=side, threshold=detector.second_threshold):
        face = dataclasses.replace(face, box=face.box - pixels, landmarks=face.landmarks - pixels)
        x, y = (face.box[:2] + face.box[2:]) / 2
        # The others are mirror images.
        if 0 <= x <= width and 0 <= y <= height:
            faces.append(face)
    return faces
