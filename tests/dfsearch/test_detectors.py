"""Detectors and their verdicts from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dfsearch


@pytest.fixture(scope="module")
def detector(own_examples: Path) -> dfsearch.Detector:
    return dfsearch.Detector.load(own_examples / "runs" / "ffpp" / "best_model.h5")


def test_a_detector_has_its_model_and_how_to_use_it(detector: dfsearch.Detector) -> None:
    shape = detector.certificate.input.shape
    clips = np.zeros((2, *shape), np.uint8)
    probabilities = detector.model.predict(clips, verbose=0)
    assert probabilities.shape == (2, 1)
    assert detector.threshold == detector.certificate.threshold
    assert (detector.preparation.frames, detector.preparation.size) == shape[:2]
    assert "undecided" in detector.note


def test_a_verdict_has_a_label_faces_and_segments(here: Path, detector: dfsearch.Detector) -> None:
    verdict = detector.judge("video.mp4")
    assert isinstance(verdict, dfsearch.Verdict)
    expected = "fake" if verdict.probability >= detector.threshold else "real"
    assert verdict.label == expected
    (face,) = verdict.faces
    assert (face.label, face.probability) == (verdict.label, verdict.probability)
    assert verdict.segments == face.segments
    assert bool(verdict.segments) == (verdict.label == "fake")
    assert detector.judge(here / "video.mp4").probability == verdict.probability


def test_a_video_that_cannot_be_judged_is_an_error_alone_and_an_answer_among_others(
    here: Path, detector: dfsearch.Detector
) -> None:
    with pytest.raises(dfsearch.DfsearchError, match=r"^no_face\.mp4: no verdict: faces: "):
        detector.judge("no_face.mp4")
    with pytest.raises(dfsearch.DfsearchError, match="there is no such file"):
        detector.judge("missing.mp4")
    with pytest.raises(dfsearch.DfsearchError, match="there is no such file"):
        detector.annotate("missing.mp4", "annotated.mp4")
    answers = list(detector.predict(["missing.mp4", Path("video.mp4")]))
    assert [type(answer) for answer in answers] == [dfsearch.NoVerdict, dfsearch.Verdict]


def test_folders_and_patterns_stand_for_their_videos(
    here: Path, detector: dfsearch.Detector
) -> None:
    (by_pattern,) = detector.predict("vid*.mp4")
    assert by_pattern.path == "video.mp4"
    assert len(list(detector.predict("videos/real"))) == 4


def test_an_examined_video_is_annotated_without_examining_it_again(
    here: Path, tmp_path: Path, detector: dfsearch.Detector
) -> None:
    judged = detector.examine("video.mp4")
    assert detector.annotate("video.mp4", tmp_path / "out.mp4", judged=judged) == ()
    assert (tmp_path / "out.mp4").stat().st_size
