"""MTCNN, as its package runs it, gives what every detector gives."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pytest
import skimage.data

from data_prep.errors import UserError
from data_prep.faces.centerface import CenterFace
from data_prep.faces.mtcnn import Mtcnn


@pytest.fixture(scope="module")
def detector() -> Mtcnn:
    pytest.importorskip("mtcnn", reason="the optional package mtcnn is not installed")
    return Mtcnn()


def test_it_finds_what_centerface_finds(detector: Mtcnn, centerface: CenterFace) -> None:
    image = skimage.data.astronaut()
    (face,), (other,) = detector.detect(image), centerface.detect(image)
    # Boxes are drawn a little differently; landmarks are the same points in the same order.
    np.testing.assert_allclose(face.box, other.box, atol=25)
    np.testing.assert_allclose(face.landmarks, other.landmarks, atol=8)
    assert face.box.dtype == face.landmarks.dtype == np.float32
    assert 0.5 <= face.score <= 1


def test_the_box_does_not_depend_on_the_resolution(detector: Mtcnn) -> None:
    image = skimage.data.astronaut()
    large = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    (face,), (larger,) = detector.detect(image), detector.detect(large)
    np.testing.assert_allclose(larger.box, 2 * face.box, atol=10)
    np.testing.assert_allclose(larger.landmarks, 2 * face.landmarks, atol=10)


def test_the_surest_face_comes_first_and_the_threshold_counts(detector: Mtcnn) -> None:
    face = skimage.data.astronaut()[0:220, 120:320]
    faces = detector.detect(np.concatenate([face, face[:, ::-1]], axis=1))
    assert len(faces) == 2
    assert faces[0].score >= faces[1].score
    assert detector.detect(face, threshold=1.0) == []


@pytest.mark.parametrize("shape", [(7, 3, 3), (240, 320, 3), (400, 2, 3)])
def test_a_frame_without_a_face_gives_none(detector: Mtcnn, shape: tuple[int, ...]) -> None:
    assert detector.detect(np.zeros(shape, np.uint8)) == []


def test_it_says_nothing_of_its_own() -> None:
    pytest.importorskip("mtcnn", reason="the optional package mtcnn is not installed")
    code = (
        "import numpy as np\n"
        "from data_prep.faces.mtcnn import Mtcnn\n"
        "print(len(Mtcnn().detect(np.zeros((96, 96, 3), np.uint8))))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("0\n", "")


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    with pytest.raises(UserError, match=r'mtcnn cannot be loaded .*pip install "mtcnn>=1\.0,<2"'):
        Mtcnn()


def test_missing_weights_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mtcnn", reason="the optional package mtcnn is not installed")
    loader = importlib.import_module("mtcnn.utils.tensorflow")
    stage = importlib.import_module("mtcnn.stages.stage_pnet")
    monkeypatch.setattr(stage, "load_weights", lambda name: loader.load_weights(f"no-{name}"))
    with pytest.raises(UserError, match="weights of the face detector mtcnn cannot be read"):
        Mtcnn()
