"""The face detector MTCNN, an optional one."""

from __future__ import annotations

import importlib

import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.faces.detection import Detection, scaled_down
from data_prep.stock_keras import stock_keras

# MTCNN is sure even of faces that are none: only such a score is believed at a second look.
_SECOND = 0.99


class Mtcnn:
    """The MTCNN detector of the package mtcnn, which runs it with TensorFlow.

    Source: Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded
    Convolutional Networks", 2016. Each of three networks refines the proposals of the one before.

    Args:
        side: larger frames are scaled down until their long side is this, in pixels.
        threshold: lowest score of a detection, that of the last network.

    Raises:
        UserError: the package is not installed or cannot be loaded.
    """

    def __init__(self, side: int = 320, threshold: float = 0.5) -> None:
        self.side = side
        self.threshold = threshold
        self.second_threshold = max(threshold, _SECOND)
        try:
            with stock_keras():
                self._cascade = importlib.import_module("mtcnn").MTCNN()
        except ImportError as error:
            raise UserError(
                f"the face detector mtcnn cannot be loaded ({error}); install it: "
                'pip install "mtcnn>=1.0,<2"'
            ) from None
        except (OSError, RuntimeError, ValueError) as error:
            raise UserError(
                f"the weights of the face detector mtcnn cannot be read ({error}); reinstall it: "
                "pip install --force-reinstall --no-deps mtcnn"
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
        rows = self._cascade.detect_faces(
            np.ascontiguousarray(small),
            fit_to_image=False,
            box_format="xyxy",
            output_type="numpy",
            threshold_onet=self.threshold if threshold is None else threshold,
        )
        # A row is image, x0, y0, x1, y1, score, the x of the five landmarks, then their y.
        rows = sorted(np.asarray(rows, np.float32), key=lambda row: -row[5])
        return [
            Detection(
                row[1:5] * np.tile(to_source, 2),
                np.stack([row[6:11], row[11:16]], axis=1) * to_source,
                float(row[5]),
            )
            for row in rows
        ]
