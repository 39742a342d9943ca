"""The face detector YuNet, on a model file the user has."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.faces.detection import Detection, scaled_down

_NMS_OVERLAP = 0.3
_MOST_FACES = 100
# On 312 pictures and parts of pictures without a face, a second look found 22 that scored 0.56
# or more, and none that scored this much.
_SECOND = 0.85


class YuNet:
    """The YuNet detector, run by OpenCV.

    Source: Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023. OpenCV's model zoo
    has its model file, ``face_detection_yunet_2023mar.onnx``; OpenCV itself comes without.

    Args:
        model: the model file.
        side: larger frames are scaled down until their long side is this, in pixels.
        threshold: lowest score of a detection.

    Raises:
        UserError: the model file is not given, missing, or no YuNet.
    """

    def __init__(self, model: Path | None, side: int = 320, threshold: float = 0.5) -> None:
        self.side = side
        self.threshold = threshold
        self.second_threshold = max(threshold, _SECOND)
        if model is None:
            raise UserError(
                "the face detector yunet comes without a model; name the file "
                "face_detection_yunet_2023mar.onnx of OpenCV's model zoo: --detector-model PATH"
            )
        if not model.is_file():
            raise UserError(
                f"{model}, the model of the face detector yunet, is not a file; name the model "
                "file: --detector-model PATH"
            )
        try:
            self._network = _load(model)
            # Anything that is a network can be loaded; only a detector can detect.
            self.detect(np.zeros((64, 64, 3), np.uint8))
        except (cv2.error, IndexError):
            raise UserError(
                f"{model} cannot be used as a YuNet face detector; name the file "
                "face_detection_yunet_2023mar.onnx of OpenCV's model zoo: --detector-model PATH"
            ) from None

    def detect(
        self,
        frame: npt.NDArray[np.uint8],
        *,
        side: int | None = None,
        threshold: float | None = None,
    ) -> list[Detection]:
        """See :meth:`data_prep.faces.detection.FaceDetector.detect`."""
        small, to_source = scaled_down(frame, side or self.side)
        self._network.setInputSize(small.shape[1::-1])
        self._network.setScoreThreshold(self.threshold if threshold is None else threshold)
        _, rows = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        if rows is None:
            return []
        # A row is x0, y0, width, height, x and y of the five landmarks, score.
        rows = sorted(np.asarray(rows, np.float32), key=lambda row: -row[14])
        return [
            Detection(
                np.concatenate([row[:2], row[:2] + row[2:4]]) * np.tile(to_source, 2),
                row[4:14].reshape(5, 2) * to_source,
                float(row[14]),
            )
            for row in rows
        ]


def _load(model: Path) -> cv2.FaceDetectorYN:
    # OpenCV warns, on standard error, that its CPU is no choice it can be given.
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.FaceDetectorYN.create(
            str(model), "", (64, 64), nms_threshold=_NMS_OVERLAP, top_k=_MOST_FACES
        )
    finally:
        cv2.utils.logging.setLogLevel(level)
