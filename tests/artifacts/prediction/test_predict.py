"""A verdict on every video that can be judged, a reason for every one that cannot."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from artifacts.models.saved import load_detector
from artifacts.prediction.clip_windows import choose_pace
from artifacts.prediction.predict import TRAINED_ON, NoVerdict, Predictor, Verdict, predict
from artifacts.run_directory import RunDirectory, write_json
from data_prep.errors import UserError
from data_prep.faces.tracks import find_tracks
from data_prep.preparation.clip import cut_out, make_detector, prepare_clips
from data_prep.video.video import read_frames

CLIP_FRAMES = 4


@pytest.fixture
def video(tmp_path: Path, face_video: bytes) -> Path:
    path = tmp_path / "face.mp4"
    path.write_bytes(face_video)
    return path


@pytest.fixture(scope="module")
def predictor(_run_template: Path) -> Predictor:
    """One that nobody changes; loading it takes longer than judging."""
    return Predictor(RunDirectory(_run_template))


def _change_certificate(run: RunDirectory, **changes: Any) -> None:
    write_json(run.certificate, json.loads(run.certificate.read_text()) | changes)


def _noise(count: int) -> Iterator[npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield np.full((96, 128, 3), 100, np.uint8) + rng.integers(0, 9, (96, 128, 3), np.uint8)


def test_a_video_is_scored_as_its_prepared_clip_is(finished_run: RunDirectory, video: Path) -> None:
    (found,) = predict(finished_run, [video])
    assert isinstance(found, Verdict)
    model, certificate = load_detector(finished_run)
    (clip,) = prepare_clips(video, certificate.clip_preparation)
    expected = float(model.predict_on_batch(clip.frames[None])[0, 0])
    assert found.probability == pytest.approx(expected, abs=1e-6)
    assert found.path == str(video)
    assert found.coverage == 1.0
    assert found.frames == 4
    assert found.seconds >= 0


@pytest.mark.parametrize(("threshold", "label"), [(0.0, "fake"), (1.0, "real")])
def test_the_verdict_follows_the_threshold_of_the_certificate(
    finished_run: RunDirectory, video: Path, threshold: float, label: str
) -> None:
    _change_certificate(finished_run, threshold=threshold)
    (found,) = predict(finished_run, [video])
    assert isinstance(found, Verdict)
    assert (found.label, found.threshold) == (label, threshold)


def test_videos_that_cannot_be_judged_say_why(
    predictor: Predictor, tmp_path: Path, write_video: Callable[..., Path]
) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    text = tmp_path / "text.mp4"
    text.write_text("no video\n" * 50)
    faceless = write_video(tmp_path / "faceless.mp4", _noise(8))
    folder = tmp_path / "folder"
    folder.mkdir()
    paths = [tmp_path / "missing.mp4", folder, empty, text, faceless]
    found = [predictor.judge(path).answer for path in paths]
    assert [answer.path for answer in found] == [str(path) for path in paths]
    reasons = [answer.error for answer in found if isinstance(answer, NoVerdict)]
    assert len(reasons) == 5
    assert reasons[0] == "there is no such file"
    assert reasons[1] == "no video and no picture in this folder"
    assert reasons[2].startswith("decode: ")
    assert reasons[3].startswith("decode: ")
    assert reasons[4].startswith("faces: ")


def test_answers_are_plain_values(finished_run: RunDirectory, tmp_path: Path, video: Path) -> None:
    """And a video that cannot be judged does not stop the others."""
    none, verdict = (a.to_json() for a in predict(finished_run, [tmp_path / "missing.mp4", video]))
    assert json.loads(json.dumps([verdict, none], allow_nan=False)) == [verdict, none]
    assert " ".join(verdict) == (
        "path fake_probability verdict threshold coverage faces windows seconds duration band "
        "tracks"
    )
    (face,) = verdict["tracks"]
    assert " ".join(face) == (
        "face fake_probability verdict reason coverage faces windows start end pixels timeline "
        "segments"
    )
    assert set(face["timeline"][0]) == {"start", "end", "fake_probability", "verdict"}
    assert set(none) == {"path", "error"}


def test_the_same_video_gets_the_same_answer_again(predictor: Predictor, video: Path) -> None:
    one, other = (predictor.judge(video).answer for _ in range(2))
    assert isinstance(one, Verdict)
    assert isinstance(other, Verdict)
    assert one.probability == other.probability


def test_windows_of_a_video_are_clips_between_each_other_and_are_averaged(
    finished_run: RunDirectory, video: Path
) -> None:
    (found,) = predict(finished_run, [video], windows=3)
    assert isinstance(found, Verdict)
    assert found.windows == 3
    model, certificate = load_detector(finished_run)
    sampled = read_frames(video, 12)
    answers = []
    for first in range(3):
        frames = sampled.frames[first::3]
        (track,) = find_tracks(frames, make_detector(certificate.clip_preparation))
        crops = cut_out(frames, track, certificate.clip_preparation)
        answers.append(float(model.predict_on_batch(crops[None])[0, 0]))
    logits = [np.log(p / (1 - p)) for p in answers]
    assert found.probability == pytest.approx(1 / (1 + np.exp(-np.mean(logits))), abs=1e-6)
    assert len(set(answers)) == 3


def test_a_video_too_short_for_windows_has_one(
    finished_run: RunDirectory, tmp_path: Path, write_video: Any, face_frames: Any
) -> None:
    short = write_video(tmp_path / "short.mp4", face_frames(5))
    (one,) = predict(finished_run, [short])
    (found,) = predict(finished_run, [short], windows=4)
    assert isinstance(one, Verdict)
    assert isinstance(found, Verdict)
    assert found.windows == one.windows == 1
    assert found.probability == one.probability


@pytest.mark.parametrize("windows", [0, -1, 257])
def test_a_number_of_windows_that_cannot_be_is_refused(
    finished_run: RunDirectory, video: Path, windows: int
) -> None:
    with pytest.raises(UserError, match="1 to 256 windows"):
        list(predict(finished_run, [video], windows=windows))


def test_nothing_to_judge_is_no_error(finished_run: RunDirectory) -> None:
    assert list(predict(finished_run, [])) == []


@pytest.mark.parametrize(
    "changes", [{"preparation": {}}, {"threshold": None}, {"preparation": {"clip": 3}}]
)
def test_another_certificate_is_refused(
    finished_run: RunDirectory, video: Path, changes: dict[str, Any]
) -> None:
    _change_certificate(finished_run, **changes)
    with pytest.raises(UserError, match="is not a certificate of this version"):
        list(predict(finished_run, [video]))


def test_a_folder_without_a_run_is_refused(tmp_path: Path, video: Path) -> None:
    with pytest.raises(UserError, match="no run at"):
        list(predict(RunDirectory(tmp_path), [video]))


def _change_preparation(run: RunDirectory, **changes: Any) -> None:
    preparation = json.loads(run.certificate.read_text())["preparation"]
    _change_certificate(run, preparation={"clip": preparation["clip"] | changes})


def test_what_lay_beside_the_frames_of_the_store_is_not_made(
    finished_run: RunDirectory,
    predictor: Predictor,
    video: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = predictor.judge(video).answer
    _change_preparation(finished_run, modalities=["flow", "audio"], faces="all")
    # Sound could not be read without this.
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(video.parent / "no such program"))
    (found,) = predict(finished_run, [video])
    assert isinstance(plain, Verdict)
    assert isinstance(found, Verdict)
    assert found.probability == plain.probability


def test_a_detector_model_that_has_moved_can_be_named(
    finished_run: RunDirectory, video: Path
) -> None:
    _change_preparation(finished_run, detector="yunet", detector_model="/gone/yunet.onnx")
    with pytest.raises(
        UserError, match=r"/gone/yunet\.onnx.* is not a file; .*detector_model=PATH"
    ):
        list(predict(finished_run, [video]))
    with pytest.raises(UserError, match=r"face\.mp4 cannot be used as a YuNet"):
        list(predict(finished_run, [video], detector_model=video))


def _beside(frames: Iterable[npt.NDArray[np.uint8]]) -> Iterator[npt.NDArray[np.uint8]]:
    """The same face twice in a frame twice as wide."""
    for frame in frames:
        yield np.concatenate([frame, frame], axis=1)


def test_every_face_has_an_answer_and_the_worst_is_the_verdict(
    predictor: Predictor, tmp_path: Path, write_video: Any, face_frames: Any
) -> None:
    video = write_video(tmp_path / "two.mp4", _beside(face_frames(24)))
    found = predictor.judge(video).answer
    assert isinstance(found, Verdict)
    assert [face.number for face in found.faces] == [1, 2]
    answers = [face.probability for face in found.faces]
    assert found.probability == max(answers)
    assert found.coverage == 1.0
    assert {face.coverage for face in found.faces} == {1.0}


def test_a_long_video_has_a_timeline_and_is_judged_as_its_stored_clip(
    predictor: Predictor,
    tmp_path: Path,
    write_video: Any,
    face_frames: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the model were blind to order, clips of half a second slide by a quarter."""
    pace = choose_pace(CLIP_FRAMES, TRAINED_ON, by_frames_alone=True)
    monkeypatch.setattr(predictor.watcher, "pace", pace)
    video = write_video(tmp_path / "long.mp4", face_frames(75))
    found = predictor.judge(video).answer
    assert isinstance(found, Verdict)
    (clip,) = prepare_clips(video, dataclasses.replace(predictor.preparation, faces="main"))
    (expected,) = predictor.watcher.model.predict_on_batch(clip.frames[None])[:, 0]
    assert found.probability == float(expected)
    assert found.duration == pytest.approx(3.0, abs=0.01)
    (face,) = found.faces
    assert (face.timeline[0].start, face.timeline[-1].end) == (0.0, found.duration)
    assert len(face.timeline) == 11
    assert all(one.start < other.start for one, other in pairwise(face.timeline))
    (segment,) = face.segments
    assert (segment.start, segment.end) == (0.0, found.duration)


def test_a_video_longer_than_any_trained_on_is_judged_by_several_clips(
    finished_run: RunDirectory, tmp_path: Path, write_video: Any, face_frames: Any
) -> None:
    _change_certificate(finished_run, trained_on=[0.8, 1.0])
    video = write_video(tmp_path / "long.mp4", face_frames(50))
    (found,) = predict(finished_run, [video])
    assert isinstance(found, Verdict)
    assert (found.windows, found.frames) == (2, 8)


def test_a_face_too_small_to_tell_has_no_answer(
    predictor: Predictor, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = dataclasses.replace(predictor.preparation, size=1024)
    monkeypatch.setattr(predictor.watcher, "preparation", wanted)
    judged = predictor.judge(video)
    assert isinstance(judged.answer, NoVerdict)
    assert re.fullmatch(
        r"faces: too small: 10\d pixels across, and at least 256 are needed", judged.answer.error
    )
    (face,) = judged.faces
    assert (face.label, face.timeline) == (None, ())


def test_a_picture_is_a_clip_that_stands_still_for_a_model_blind_to_order(
    predictor: Predictor, tmp_path: Path, face_frames: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "face.png"
    (frame,) = face_frames(1)
    Image.fromarray(frame).save(picture)
    monkeypatch.setattr(predictor.watcher, "any_order", True)
    found = predictor.judge(picture).answer
    assert isinstance(found, Verdict)
    assert (found.duration, found.windows) == (0.0, 1)
    monkeypatch.setattr(predictor.watcher, "any_order", False)
    refused = predictor.judge(picture).answer
    assert isinstance(refused, NoVerdict)
    assert refused.error == "decode: a picture, and this model looks at motion over 4 frames"


def test_what_is_no_regular_file_or_too_short_is_not_waited_for(
    predictor: Predictor, tmp_path: Path, write_video: Any, face_frames: Any
) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    short = write_video(tmp_path / "short.mp4", face_frames(1))
    found = [predictor.judge(path).answer for path in (tmp_path / "pipe.mp4", short)]
    assert [answer.error for answer in found if isinstance(answer, NoVerdict)] == [
        "decode: not a regular file",
        "decode: frames in the video: 1; a clip of 4 needs at least 2",
    ]


def test_the_band_of_the_run_decides_where_there_is_one(
    finished_run: RunDirectory, predictor: Predictor, video: Path
) -> None:
    plain = predictor.judge(video).answer
    assert isinstance(plain, Verdict)
    assert plain.band is None
    head = "key,split,label,fake_probability,method,group,coverage"
    rows = [f"v,val,{label},{1 - label},drawn,p,1" for label in (0, 1) for _ in range(9)]
    finished_run.scores.write_text("\n".join([head, *rows]))
    (found,) = predict(finished_run, [video])
    assert isinstance(found, Verdict)
    assert found.label == "undecided"
    assert found.band is not None
    assert found.probability == plain.probability
