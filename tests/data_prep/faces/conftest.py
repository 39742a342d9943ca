"""Faces the tests make up, and the detector they find real ones with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from data_prep.faces.centerface import CenterFace
from data_prep.faces.detection import Detection

# Where eyes, nose and mouth corners lie in a face box of side 1, roughly.
_FIVE = np.array([[0.33, 0.42], [0.67, 0.42], [0.5, 0.62], [0.37, 0.8], [0.63, 0.8]])


@pytest.fixture(scope="session")
def made_face() -> Callable[..., Detection]:
    """A detection around a point: ``made_face(x, y, side=100, score=0.9)``."""

    def make(x: float, y: float, side: float = 100, score: float = 0.9) -> Detection:
        corner = np.array([x, y]) - side / 2
        return Detection(
            np.concatenate([corner, corner + side]).astype(np.float32),
            (corner + side * _FIVE).astype(np.float32),
            score,
        )

    return make


@pytest.fixture(scope="session")
def centerface() -> CenterFace:
    return CenterFace()
