"""The picture of a model is a PNG that shows something."""

from __future__ import annotations

from pathlib import Path

import cv2
import keras
import keras_tuner
import numpy as np
import pytest

from artifacts.models.picture import draw_model
from spaces.detector import detector_space
from spaces.streams.spatial import SpatialBlock
from spaces.streams.temporal import TemporalBlock


def _picture(path: Path) -> np.ndarray:
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture


def test_a_detector_is_drawn_as_a_png(detector: keras.Model, tmp_path: Path) -> None:
    draw_model(detector, tmp_path / "model.png")
    picture = _picture(tmp_path / "model.png")
    assert min(picture.shape[:2]) > 300
    assert picture.std() > 5
    assert [path.name for path in tmp_path.iterdir()] == ["model.png"]


def test_a_deeper_model_makes_a_taller_picture(tmp_path: Path) -> None:
    heights = []
    for layers in (2, 6):
        x = y = keras.Input((4,))
        for _ in range(layers):
            y = keras.layers.Dense(4)(y)
        draw_model(keras.Model(x, y), tmp_path / "model.png")
        heights.append(_picture(tmp_path / "model.png").shape[0])
    assert heights[1] > 1.5 * heights[0]


def test_a_backbone_is_one_box(tmp_path: Path) -> None:
    spatial, temporal = SpatialBlock(("vgg16",), "none"), TemporalBlock("mean")
    graph = detector_space((2, 32, 32, 4), streams=("spatial",), spatial=spatial, temporal=temporal)
    model = graph.build(keras_tuner.HyperParameters())
    draw_model(model, tmp_path / "model.png")
    assert _picture(tmp_path / "model.png").shape[0] < 150 * len(model.layers)


def test_a_missing_folder_is_an_error_and_leaves_nothing(
    detector: keras.Model, tmp_path: Path
) -> None:
    with pytest.raises(OSError):
        draw_model(detector, tmp_path / "missing" / "model.png")
    assert list(tmp_path.iterdir()) == []
