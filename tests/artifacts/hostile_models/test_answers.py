"""A model whose answers are no probabilities leads to a reason, never to a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from artifacts.evaluation.evaluate import assess
from artifacts.evaluation.request import Request
from artifacts.explain.heat import Explainer
from artifacts.explain.stream_contributions import measure
from artifacts.models.export_check import export_all, random_clips
from artifacts.models.formats import FORMATS
from artifacts.models.inference import ScoreError, probabilities, score_arrays
from artifacts.prediction.predict import NoVerdict, Predictor
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.store.store import Store
from search.cli.__main__ import app

SHAPE = (4, 32, 32, 4)
Certify = Callable[[RunDirectory], None]


def _model(*, activation: str = "sigmoid", bias: float = 0.0, variance: float = 1.0) -> Any:
    frames = keras.Input(SHAPE, dtype="uint8", name="frames")
    x = keras.layers.Rescaling(1 / 255)(frames)
    x = keras.layers.GlobalAveragePooling3D()(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    head = keras.layers.Dense(1, activation=activation, name="fake_probability")
    model = keras.Model(frames, head(x))
    gamma, beta, mean, ones = model.get_layer("norm").get_weights()
    model.get_layer("norm").set_weights([gamma, beta, mean, ones * variance])
    head.set_weights([head.get_weights()[0] * 0, np.array([bias], np.float32)])
    return model


# A negative variance has no root, and a linear head has no bounds.
ANSWERS = {
    "nan": ({"variance": -1.0}, "the model gives nan, which is no probability"),
    "above one": ({"activation": "linear", "bias": 5.0}, "the model gives 5, which is no prob"),
    "below zero": ({"activation": "linear", "bias": -0.5}, "the model gives -0.5, which is no"),
    "infinite": ({"activation": "exponential", "bias": 1e9}, "the model gives inf, which is no"),
}


@pytest.fixture
def run_of(finished_run: RunDirectory, certify: Certify) -> Callable[..., RunDirectory]:
    """A finished run with such a model."""

    def make(**settings: Any) -> RunDirectory:
        _model(**settings).save(finished_run.h5, include_optimizer=False)
        certify(finished_run)
        return finished_run

    return make


@pytest.mark.parametrize("name", ANSWERS)
def test_predict_gives_a_reason_in_place_of_a_verdict(
    name: str, run_of: Callable[..., RunDirectory], face_video: bytes, tmp_path: Path
) -> None:
    settings, reason = ANSWERS[name]
    video = tmp_path / "face.mp4"
    video.write_bytes(face_video)
    predictor = Predictor(run_of(**settings))
    answer = predictor.judge(video).answer
    assert isinstance(answer, NoVerdict)
    assert answer.error.startswith(f"score: {reason}")
    assert "\n" not in answer.error
    json.dumps(answer.to_json(), allow_nan=False)
    clips = np.zeros((3, *SHAPE), np.uint8)
    with pytest.raises(ScoreError, match=reason):
        score_arrays(predictor.watcher.model, {"frames": clips}, mirror=True)


def test_the_command_prints_the_reason_as_json_and_ends_with_code_2(
    run_of: Callable[..., RunDirectory], face_video: bytes, tmp_path: Path
) -> None:
    video = tmp_path / "face.mp4"
    video.write_bytes(face_video)
    run = run_of(variance=-1.0)
    shown = CliRunner().invoke(app, ["predict", str(run.root), str(video), "--json"])
    assert shown.exit_code == 2
    (line,) = shown.stdout.splitlines()
    assert set(json.loads(line, parse_constant=pytest.fail)) == {"path", "error"}
    shown = CliRunner().invoke(app, ["predict", str(run.root), str(video)])
    assert shown.exit_code == 2
    assert f"{video}: no verdict: score: the model gives nan" in shown.stdout


def test_evaluate_and_export_report_the_reason(
    run_of: Callable[..., RunDirectory], labelled_store: Path, tmp_path: Path
) -> None:
    run = run_of(variance=-1.0)
    with pytest.raises(UserError, match="the model gives nan, which is no probability"):
        assess(run, labelled_store, Request(split="val"))
    assert not run.evaluations.exists()
    model = _model(variance=-1.0)
    with pytest.raises(UserError, match="the model gives nan, which is no probability"):
        export_all(model, [FORMATS["keras"]], (), random_clips(model), tmp_path)


def test_heat_maps_and_contributions_of_such_scores_are_refused(labelled_store: Path) -> None:
    clips = {"frames": np.zeros((2, *SHAPE), np.uint8)}
    with pytest.raises(ScoreError, match="scores or heat maps that are not finite"):
        Explainer(_model(variance=-1.0)).scored(clips)
    with Store(labelled_store) as store, pytest.raises(UserError):
        measure(_model(variance=-1.0), store)


def test_a_model_without_heat_maps_is_refused_in_one_line(
    run_of: Callable[..., RunDirectory],
) -> None:
    run = run_of(activation="linear")
    with pytest.raises(
        UserError, match=r"heat maps cannot be computed: .* sigmoid; use heat_maps=False"
    ) as caught:
        Predictor(run, looking=True)
    assert "\n" not in str(caught.value)


def test_an_output_of_another_shape_or_no_output_is_refused() -> None:
    frames = keras.Input((3,), name="frames")
    wide = keras.Model(frames, keras.layers.Dense(2)(frames))
    with pytest.raises(ScoreError, match=r"an output of shape \(5, 2\), expected \(5, 1\)"):
        probabilities(wide, {"frames": np.zeros((5, 3), np.float32)})
    with pytest.raises(ScoreError, match=r"^the model cannot compute: [^\n]+$"):
        probabilities(wide, {"frames": np.zeros((5, 4), np.float32)})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ('"threshold": NaN', "the number NaN is not finite"),
        ('"threshold": 1.5', "threshold"),
        ('"calibration": {"slope": NaN, "intercept": 0.0}', "the number NaN is not finite"),
        (
            '"calibration": {"slope": 1.0, "intercept": Infinity}',
            "Infinity is not finite",
        ),
        ('"trained_on": [NaN, 30.0]', "the number NaN is not finite"),
        ('"trained_on": [1e-9, 1e300]', "lengths of the training videos"),
    ],
)
def test_a_certificate_with_numbers_that_are_none_is_refused(
    finished_run: RunDirectory, change: str, named: str
) -> None:
    content = json.loads(finished_run.certificate.read_text())
    content.pop(change.split('"')[1], None)
    text = json.dumps(content)
    finished_run.certificate.write_text(f"{text[:-1]}, {change}}}")
    with pytest.raises(UserError, match="not a certificate of this version") as caught:
        Predictor(finished_run)
    assert named in str(caught.value)
