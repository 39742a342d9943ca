"""Detectors drawn at random from the whole space: each builds, trains, saves and reloads."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import optuna
import pytest

from artifacts.models.saved import plain_copy
from artifacts.models.trust import check_model_file
from search.detectors.space import build_detector
from search.studies.hyperparameters import OptunaHyperParameters, fixed_hyperparameters
from spaces.backbones.names import SMALL_NETWORKS
from spaces.detector import DetectorGraph, detector_space
from spaces.fusion import KINDS as FUSION
from spaces.gan.choices import GanChoices
from spaces.gan.networks import discriminator
from spaces.streams.gan import GanStreamBlock
from spaces.streams.names import STREAMS
from spaces.streams.spatial import SpatialBlock
from spaces.streams.temporal import KINDS as TEMPORAL
from spaces.training.space import TrainingChoices, compile_detector

# More by hand: DFSEARCH_DRAWS=60 pytest tests/search/test_space.py
DRAWS = int(os.environ.get("DFSEARCH_DRAWS", "16"))
CLIP, FLOW, AUDIO = (5, 32, 32, 4), (4, 16, 16, 3), (5, 64, 40)
PRETRAINED = "mobilenet"
BACKBONES = (*SMALL_NETWORKS, PRETRAINED)
AGREEMENT = 1e-5

Inputs = dict[str, npt.NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """One random detector after a step of training.

    Attributes:
        params: what Optuna was asked.
        values: what the blocks were answered.
        loss: of the step.
        inputs: names of its inputs.
        h5: its file.
        expected: what it gives for the clips, (2, 1).
    """

    params: dict[str, Any]
    values: dict[str, Any]
    loss: float
    inputs: list[str]
    h5: Path
    expected: npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def arrays() -> Inputs:
    """Two clips with motion and sound."""
    rng = np.random.default_rng(7)
    rgb = rng.integers(0, 256, (2, *CLIP[:3], 3), np.uint8)
    grey = np.rint(rgb.mean(axis=-1, keepdims=True)).astype(np.uint8)
    return {
        "frames": np.concatenate([rgb, grey], axis=-1),
        "flow": rng.normal(0, 1, (2, *FLOW)).astype(np.float16),
        "audio": rng.uniform(-15.94, 0, (2, *AUDIO)).astype(np.float16),
    }


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> DetectorGraph:
    """The whole space, with a small network in place of a large pretrained one.

    The discriminator has learned nothing.
    """
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(*CLIP[1:3], 3)
    )
    folder = tmp_path_factory.mktemp("weights")
    network.save_weights(folder / f"{PRETRAINED}.weights.h5")
    judge = folder / "discriminator.keras"
    discriminator(GanChoices(kind="convolutional"), spectral=False).save(judge)
    return detector_space(
        CLIP,
        {"flow": FLOW, "audio": AUDIO},
        gan=GanStreamBlock(str(judge)),
        spatial=SpatialBlock(
            backbones=BACKBONES,
            weights=str(folder),
            trainable_stages=None,
            inflated_stages=None,
        ),
    )


@pytest.fixture(scope="module")
def drawn(
    graph: DetectorGraph, arrays: Inputs, tmp_path_factory: pytest.TempPathFactory
) -> list[Drawn]:
    folder = tmp_path_factory.mktemp("drawn")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=5))
    for number in range(DRAWS):
        study.enqueue_trial(_told(number))
    return [_draw(study, graph, arrays, folder / f"{number}.h5") for number in range(DRAWS)]


def _told(number: int) -> dict[str, Any]:
    """What a draw is told, so that few take every option; all else is left to chance.

    Sixteen draws take every set of the streams beside the first.
    """
    told: dict[str, Any] = {
        f"detector/{stream}": bool(number >> at & 1) for at, stream in enumerate(STREAMS[1:])
    }
    told["detector/spatial"] = number % 7 < 5
    told["detector/spatial/backbone"] = BACKBONES[number % len(BACKBONES)]
    told["detector/temporal/kind"] = TEMPORAL[number % len(TEMPORAL)]
    told["detector/fusion/kind"] = FUSION[number % len(FUSION)]
    return told


def _draw(study: optuna.Study, graph: DetectorGraph, arrays: Inputs, path: Path) -> Drawn:
    """Draw, train for a step, save as a run does; every third detector in mixed precision."""
    trial = study.ask()
    hp = OptunaHyperParameters(trial)
    policy = "mixed_bfloat16" if trial.number % 3 == 0 else "float32"
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build_detector(graph, hp, seed=trial.number)
    finally:
        keras.config.set_dtype_policy(before)
    compile_detector(model, TrainingChoices())
    model.run_eagerly = True
    inputs = [arrays[tensor.name] for tensor in model.inputs]
    loss = model.train_on_batch(inputs, np.array([[0], [1]], np.float32))
    study.tell(trial, float(loss))
    plain = plain_copy(model)
    plain.save(path, include_optimizer=False)
    return Drawn(
        params=dict(trial.params),
        values=dict(hp.values),
        loss=float(loss),
        inputs=[tensor.name for tensor in model.inputs],
        h5=path,
        expected=np.asarray(plain(inputs)),
    )


def test_a_detector_of_every_stream_except_the_gan_trains_and_reloads(
    arrays: Inputs, tmp_path: Path
) -> None:
    """One by hand and small; the many at random take minutes."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=5))
    streams = {f"detector/{stream}": True for stream in STREAMS}
    study.enqueue_trial(streams | {"detector/temporal/kind": "convolution"})
    graph = detector_space(
        CLIP, {"flow": FLOW, "audio": AUDIO}, spatial=SpatialBlock(backbones=("small_cnn", "meso"))
    )
    one = _draw(study, graph, arrays, tmp_path / "model.h5")
    assert np.isfinite(one.loss)
    assert {"frames", "audio"} <= set(one.inputs)
    assert set(one.params) <= set(one.values)
    check_model_file(one.h5)
    again = keras.models.load_model(one.h5, compile=False)
    found = np.asarray(again([arrays[name] for name in one.inputs]))
    np.testing.assert_allclose(found, one.expected, atol=AGREEMENT)


@pytest.mark.minutes
def test_random_detectors_differ_train_and_give_a_probability(drawn: list[Drawn]) -> None:
    assert len({json.dumps(one.values, sort_keys=True) for one in drawn}) == DRAWS
    for one in drawn:
        assert np.isfinite(one.loss), one.values
        assert one.expected.shape == (2, 1)
        assert ((one.expected >= 0) & (one.expected <= 1)).all(), one.values


@pytest.mark.minutes
def test_every_option_of_the_space_is_among_them(drawn: list[Drawn]) -> None:
    """Else the other tests here would say less than they seem to."""
    for stream in STREAMS[1:]:
        assert {one.values[f"detector/{stream}"] for one in drawn} == {True, False}
    for name, options in {
        "detector/spatial": (True, False),
        "detector/spatial/backbone": BACKBONES,
        "detector/temporal/kind": TEMPORAL,
        "detector/fusion/kind": FUSION,
    }.items():
        assert {one.values.get(name) for one in drawn} >= set(options), name
    taken = {tuple(one.inputs) for one in drawn}
    assert taken >= {("frames",), ("frames", "audio"), ("frames", "flow", "audio")}


@pytest.mark.minutes
def test_nothing_inactive_is_suggested(drawn: list[Drawn], graph: DetectorGraph) -> None:
    """Answers to what Optuna was asked alone make the same detector: nothing else was needed."""
    for one in drawn:
        off = [s for s in STREAMS[1:] if not one.values[f"detector/{s}"]]
        assert not [
            name for name in one.params if name.startswith(tuple(f"detector/{s}/" for s in off))
        ]
        assert set(one.params) <= set(one.values)
    for one in drawn[:: DRAWS // 5]:
        hp = fixed_hyperparameters(dict(one.values))
        build_detector(graph, hp, seed=0)
        asked = {entry.name for entry in hp.space if hp.is_active(entry)}
        assert asked == set(one.params), asked ^ set(one.params)


@pytest.mark.minutes
def test_every_h5_reloads_with_keras_alone_and_predicts_the_same(
    drawn: list[Drawn], arrays: Inputs, tmp_path: Path
) -> None:
    for one in drawn:
        check_model_file(one.h5)
    np.savez(tmp_path / "arrays.npz", **arrays)
    (tmp_path / "files.json").write_text(json.dumps([str(one.h5) for one in drawn]))
    script = (
        "import json, sys, keras, numpy as np\n"
        "arrays = np.load('arrays.npz')\n"
        "answers = []\n"
        "for path in json.load(open('files.json')):\n"
        "    model = keras.models.load_model(path, compile=False)\n"
        "    inputs = [arrays[tensor.name] for tensor in model.inputs]\n"
        "    answers.append(np.asarray(model(inputs)).tolist())\n"
        "assert not {'spaces', 'artifacts', 'search', 'autokeras'} & set(sys.modules)\n"
        "print(json.dumps(answers))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    answers = json.loads(done.stdout.splitlines()[-1])
    assert len(answers) == DRAWS
    for one, found in zip(drawn, answers, strict=True):
        np.testing.assert_allclose(found, one.expected, atol=AGREEMENT, err_msg=str(one.values))


@pytest.mark.slow
def test_names_are_the_same_in_every_process() -> None:
    """Here, where others were built before, and in a fresh one."""
    script = (
        "import json, keras_tuner\n"
        "from spaces.detector import detector_space\n"
        "from spaces.streams.spatial import SpatialBlock\n"
        "hp = keras_tuner.HyperParameters()\n"
        f"graph = detector_space({CLIP}, {{'flow': {FLOW}, 'audio': {AUDIO}}})\n"
        "model = graph.build(hp)\n"
        "print(json.dumps([list(hp.values), [layer.name for layer in model.layers]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    hp = keras_tuner.HyperParameters()
    model = detector_space(CLIP, {"flow": FLOW, "audio": AUDIO}).build(hp)
    here = [list(hp.values), [layer.name for layer in model.layers]]
    assert json.loads(done.stdout.splitlines()[-1]) == here
    assert len(hp.values) > 10
