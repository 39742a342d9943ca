"""A detector comes by its name, or the reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.errors import UserError
from data_prep.faces.centerface import CenterFace
from data_prep.faces.detectors import DETECTORS, make_detector


def test_a_detector_has_the_side_and_threshold_asked_for() -> None:
    detector = make_detector("centerface", side=160, threshold=0.7)
    assert isinstance(detector, CenterFace)
    assert (detector.side, detector.threshold) == (160, 0.7)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="centerface, mtcnn, yunet; received 'dlib'"):
        make_detector("dlib")


@pytest.mark.parametrize("name", [name for name in DETECTORS if name != "yunet"])
def test_a_model_for_a_detector_that_brings_its_own_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"{name} has its own model; leave out my\.onnx"):
        make_detector(name, model=Path("my.onnx"))


def test_yunet_without_a_model_says_how_to_name_one() -> None:
    with pytest.raises(UserError, match="detector_model=PATH"):
        make_detector("yunet")
