"""YuNet runs on the model file it is given, and says what is wrong with a wrong one.

Where DFSEARCH_YUNET_MODEL names the model of OpenCV's zoo, it is tested; everywhere, a small
network with the inputs and outputs of YuNet, which takes red for a face.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import skimage.data
from onnx import TensorProto, helper, numpy_helper

from data_prep.errors import UserError
from data_prep.faces.centerface import CenterFace
from data_prep.faces.yunet import YuNet

# What OpenCV reads: these outputs, of so many columns, at each stride.
_STRIDES = (8, 16, 32)
_OUTPUTS = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))


def _red_detector(path: Path) -> Path:
    """A network that sees a face of 32 px, in each cell of 16 px, as sure as the cell is red.

    Blue and green count against it. At strides 8 and 32 it sees nothing.
    """
    nodes, constants = [], {}

    def constant(name: str, values: object, kind: type = np.float32) -> str:
        constants[name] = np.asarray(values, kind)
        return name

    nodes.append(
        helper.make_node(
            "Conv",
            ["input", constant("redness", np.reshape([-1, -1, 1], (1, 3, 1, 1)) / 255.0)],
            ["red"],
        )
    )
    for stride in _STRIDES:
        sees = constant(f"sees_{stride}", float(stride == 16))
        box = constant(f"box_{stride}", [[[0.5, 0.5, np.log(2), np.log(2)]]])
        points = constant(f"points_{stride}", [[[0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]]])
        shape = constant(f"shape_{stride}", [1, -1, 1], np.int64)
        size = {"kernel_shape": [stride] * 2, "strides": [stride] * 2}
        steps = [
            ("AveragePool", ["red"], f"mean_{stride}", size),
            ("Relu", [f"mean_{stride}"], f"positive_{stride}", {}),
            ("Reshape", [f"positive_{stride}", shape], f"flat_{stride}", {}),
            ("Mul", [f"flat_{stride}", sees], f"cls_{stride}", {}),
            ("Mul", [f"cls_{stride}", constant(f"nought_{stride}", 0)], f"zero_{stride}", {}),
            ("Add", [f"zero_{stride}", constant(f"one_{stride}", 1)], f"obj_{stride}", {}),
            ("Add", [f"zero_{stride}", box], f"bbox_{stride}", {}),
            ("Add", [f"zero_{stride}", points], f"kps_{stride}", {}),
        ]
        nodes += [helper.make_node(kind, ins, [out], **more) for kind, ins, out, more in steps]
    graph = helper.make_graph(
        nodes,
        "red",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "height", "width"])],
        [
            helper.make_tensor_value_info(f"{name}_{stride}", TensorProto.FLOAT, [1, None, width])
            for name, width in _OUTPUTS
            for stride in _STRIDES
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="module")
def red_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _red_detector(tmp_path_factory.mktemp("models") / "red.onnx")


def _patch(height: int, width: int, colour: tuple[int, int, int]) -> np.ndarray:
    """A frame that is black but for its cell of row 3 and column 5, of 16 px."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[48:64, 80:96] = colour
    return frame


def test_boxes_and_landmarks_come_in_source_pixels(red_model: Path) -> None:
    (face,) = YuNet(red_model).detect(_patch(160, 240, (255, 0, 0)))
    np.testing.assert_allclose(face.box, [72, 40, 104, 72])
    np.testing.assert_allclose(face.landmarks, [[80, 48], [96, 48], [88, 56], [80, 64], [96, 64]])
    assert face.box.dtype == face.landmarks.dtype == np.float32
    assert face.score == pytest.approx(1)


def test_a_frame_is_shown_as_red_green_blue(red_model: Path) -> None:
    assert YuNet(red_model).detect(_patch(160, 240, (0, 0, 255))) == []


def test_a_large_frame_is_scaled_down_and_its_boxes_up(red_model: Path) -> None:
    small = _patch(160, 240, (255, 0, 0))
    large = np.repeat(np.repeat(small, 4, axis=0), 4, axis=1)
    (face,) = YuNet(red_model, side=240).detect(large)
    np.testing.assert_allclose(face.box, [288, 160, 416, 288])
    np.testing.assert_allclose(face.landmarks[1], [384, 192])


def test_side_and_threshold_can_be_others_for_one_frame(red_model: Path) -> None:
    detector = YuNet(red_model, threshold=0.5)
    frame = _patch(160, 240, (120, 0, 0))
    # The score is the root of class times objectness: of 120 / 255.
    (face,) = detector.detect(frame)
    assert face.score == pytest.approx((120 / 255) ** 0.5, abs=1e-4)
    assert detector.detect(frame, threshold=0.8) == []
    assert detector.detect(frame, side=60) == []
    assert len(detector.detect(frame)) == 1


def test_the_surest_face_comes_first(red_model: Path) -> None:
    frame = _patch(160, 240, (150, 0, 0))
    frame[112:128, 160:176] = (255, 0, 0)
    faces = YuNet(red_model).detect(frame)
    assert [round(face.score, 2) for face in faces] == [1.0, 0.77]


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 3, 3), (99, 101, 3)])
def test_any_shape_of_frame_will_do(red_model: Path, shape: tuple[int, ...]) -> None:
    assert YuNet(red_model).detect(np.zeros(shape, np.uint8)) == []


def test_loading_says_nothing_of_its_own(red_model: Path, capfd: pytest.CaptureFixture) -> None:
    YuNet(red_model)
    assert capfd.readouterr() == ("", "")


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.onnx.* is not a file; .*detector_model=PATH"):
        YuNet(tmp_path / "gone.onnx")
    with pytest.raises(UserError, match="is not a file"):
        YuNet(tmp_path)


def test_no_model_at_all_says_which_one_to_name() -> None:
    with pytest.raises(UserError, match=r"face_detection_yunet_2023mar\.onnx.*detector_model=PATH"):
        YuNet(None)


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(UserError, match=r"text\.onnx cannot be used as a YuNet face detector"):
        YuNet(path)


def test_a_network_that_is_no_yunet_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["input"], ["out"])],
        "other",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, 64, 64])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "other.onnx"
    onnx.save(model, str(path))
    with pytest.raises(UserError, match=r"other\.onnx cannot be used as a YuNet face detector"):
        YuNet(path)


def test_the_model_of_the_zoo_finds_what_centerface_finds(centerface: CenterFace) -> None:
    path = os.environ.get("DFSEARCH_YUNET_MODEL")
    if not path:
        pytest.skip("DFSEARCH_YUNET_MODEL is not set: no model of OpenCV's zoo to test on")
    image = skimage.data.astronaut()
    (face,), (other,) = YuNet(Path(path)).detect(image), centerface.detect(image)
    np.testing.assert_allclose(face.box, other.box, atol=25)
    np.testing.assert_allclose(face.landmarks, other.landmarks, atol=8)
