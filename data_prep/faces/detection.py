"""The interface of every face detector."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt


@dataclasses.dataclass(frozen=True)
class Detection:
    """One face in one frame.

    Attributes:
        box: float32 (4,), x0, y0, x1, y1 in source pixels; may reach outside the frame.
        landmarks: float32 (5, 2), x and y in source pixels of the eyes, the nose and the corners
            of the mouth; of each pair, the one on the left of the picture comes first.
        score: confidence, 0 to 1.
    """

    box: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    score: float


class FaceDetector(Protocol):
    """Detector of the faces in one frame.

    Attributes:
        side: larger frames are scaled down until their long side is this, in pixels. More finds
            smaller faces, more false ones too, and takes longer.
        threshold: lowest score of a detection.
        second_threshold: lowest score of a face that only a second look finds, chosen so that
            pictures without a face give hardly any false one.
    """

    side: int
    threshold: float
    second_threshold: float

    def detect(
        self,
        frame: npt.NDArray[np.uint8],
        *,
        side: int | None = None,
        threshold: float | None = None,
    ) -> list[Detection]:
        """Detect the faces of one RGB frame, uint8 (H, W, 3), best score first.

        Args:
            frame: the frame.
            side: longest side of the frame, in place of the detector's own.
            threshold: lowest score, in place of the detector's own.
        """


def scaled_down(
    frame: npt.NDArray[np.uint8], side: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Scale a frame down to a long side of at most ``side``.

    Returns:
        uint8 (h, w, 3), and the factors of x and y from its pixels to those of the frame, float32
        (2,).
    """
    height, width = frame.shape[:2]
    scale = min(1.0, side / max(height, width))
    small_width, small_height = max(1, round(width * scale)), max(1, round(height * scale))
    if scale < 1:
        small = cv2.resize(frame, (small_width, small_height), interpolation=cv2.INTER_AREA)
        frame = np.asarray(small, np.uint8)
    return frame, np.array([width / small_width, height / small_height], np.float32)
