"""Any detector the search can draw trains, and its files open wherever Keras is."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import pytest

from artifacts.export import check_stock_layers
from spaces.detector import (
    STREAMS,
    DetectorBlock,
    DetectorGraph,
    FakeProbabilityHead,
    detector_space,
)
from spaces.fusion import FusionBlock
from spaces.spatial import SpatialBlock
from spaces.temporal import TemporalBlock
from spaces.training import TrainingChoices, compile_detector

Frames = npt.NDArray[np.uint8]
CLIP = (5, 32, 32, 4)
DRAWS = 12
AGREEMENT = 1e-5

# AutoKeras builds models on a list of inputs; one array for a list of one is what is meant.
pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`")


@dataclasses.dataclass(frozen=True)
class Drawn:
    """One random detector after a step of training, and the file names of its copies."""

    values: dict[str, Any]
    model: keras.Model
    loss: float
    files: Path


def _draw(oracle: keras_tuner.Oracle, graph: DetectorGraph) -> tuple[dict[str, Any], keras.Model]:
    """A detector as a random search draws it; new questions are put to the oracle at once."""
    trial = oracle.create_trial("tuner")
    hp = trial.hyperparameters
    model = graph.build(hp)
    oracle.update_space(hp)
    trial.status = "COMPLETED"
    oracle.update_trial(trial.trial_id, {"auc": 0.5})
    oracle.end_trial(trial)
    return dict(hp.values), model


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, clips: Frames) -> list[Drawn]:
    folder = tmp_path_factory.mktemp("drawn")
    keras.utils.set_random_seed(5)
    graph = detector_space(CLIP)
    space = keras_tuner.HyperParameters()
    graph.build(space)
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("auc", "max"),
        max_trials=DRAWS,
        seed=5,
        hyperparameters=space,
    )
    oracle._set_project_dir(str(folder), "search")
    models = []
    for number in range(DRAWS):
        values, model = _draw(oracle, graph)
        compile_detector(model, TrainingChoices(), steps_per_epoch=1)
        model.run_eagerly = True
        loss = model.train_on_batch(clips, np.array([[0], [1]], np.float32))
        for ending in ("keras", "h5"):
            model.save(folder / f"{number}.{ending}", include_optimizer=False)
        models.append(Drawn(values, model, float(loss), folder / str(number)))
    return models


def test_random_configurations_differ_and_train(drawn: list[Drawn]) -> None:
    assert len({json.dumps(one.values, sort_keys=True) for one in drawn}) == DRAWS
    for stream in STREAMS[1:]:
        assert {one.values[f"detector/{stream}"] for one in drawn} == {True, False}
    assert {one.values["detector/temporal/kind"] for one in drawn} >= {"mean", "bilstm"}
    for one in drawn:
        assert np.isfinite(one.loss), one.values


def test_every_detector_keeps_the_contract(drawn: list[Drawn], clips: Frames) -> None:
    for one in drawn:
        (tensor,) = one.model.inputs
        assert (tensor.name, tensor.dtype, tensor.shape) == ("frames", "uint8", (None, *CLIP))
        assert one.model.output_names == ["fake_probability"]
        found = np.asarray(one.model(clips))
        assert found.shape == (2, 1)
        assert ((found >= 0) & (found <= 1)).all()


def test_the_h5_of_every_detector_reloads_to_the_same_model(
    drawn: list[Drawn], clips: Frames
) -> None:
    for one in drawn:
        check_stock_layers(one.files.with_suffix(".h5"))
        again = keras.models.load_model(one.files.with_suffix(".h5"), compile=False)
        np.testing.assert_allclose(again(clips), one.model(clips), atol=AGREEMENT)


def test_every_file_opens_with_keras_alone_and_both_formats_agree(
    drawn: list[Drawn], clips: Frames, tmp_path: Path
) -> None:
    folder = drawn[0].files.parent
    np.save(tmp_path / "clips.npy", clips)
    script = (
        "import json, keras, numpy as np\n"
        "clips = np.load('clips.npy')\n"
        "answers = {}\n"
        f"for number in range(0, {DRAWS}, 3):\n"
        "    answers[number] = [\n"
        f"        np.asarray(keras.models.load_model(rf'{folder}/{{number}}.{{ending}}',\n"
        "            compile=False)(clips)).tolist() for ending in ('keras', 'h5')]\n"
        "import sys\n"
        "assert not {'spaces', 'artifacts', 'autokeras'} & set(sys.modules)\n"
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
    assert len(answers) == DRAWS // 3
    for number, (from_keras, from_h5) in answers.items():
        expected = np.asarray(drawn[int(number)].model(clips))
        np.testing.assert_allclose(from_keras, expected, atol=AGREEMENT)
        np.testing.assert_allclose(from_h5, from_keras, atol=AGREEMENT)
        assert np.shape(from_keras) == np.shape(from_h5) == (2, 1)


@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_a_detector_on_a_large_backbone_reloads_too(
    name: str, clips: Frames, tmp_path: Path
) -> None:
    graph = detector_space(CLIP, streams=("spatial",), backbones=(name,), weights="none")
    hp = keras_tuner.HyperParameters()
    hp.values.update({"detector/spatial/frame_stride": 4, "detector/temporal/kind": "mean"})
    model = graph.build(hp)
    model.save(tmp_path / "model.h5", include_optimizer=False)
    check_stock_layers(tmp_path / "model.h5")
    again = keras.models.load_model(tmp_path / "model.h5", compile=False)
    np.testing.assert_allclose(again(clips), model(clips), atol=AGREEMENT)


def _streams_of(model: keras.Model) -> set[str]:
    return {
        stream
        for stream in STREAMS
        if any(layer.name.startswith(f"{stream}_") for layer in model.layers)
    }


@pytest.mark.parametrize("off", STREAMS)
def test_each_stream_can_be_switched_off(off: str) -> None:
    hp = keras_tuner.HyperParameters()
    hp.values[f"detector/{off}"] = False
    model = detector_space(CLIP).build(hp)
    assert _streams_of(model) == set(STREAMS) - {off}
    assert not any(name.startswith(f"detector/{off}/") for name in hp.values)


def test_the_last_stream_stays_on_when_all_are_off() -> None:
    hp = keras_tuner.HyperParameters()
    hp.values.update({f"detector/{stream}": False for stream in STREAMS})
    assert _streams_of(detector_space(CLIP).build(hp)) == {"spatial"}


def test_a_single_stream_is_on_without_being_asked() -> None:
    hp = keras_tuner.HyperParameters()
    model = detector_space(CLIP, streams=("noise_residual",)).build(hp)
    assert _streams_of(model) == {"noise_residual"}
    assert "detector/noise_residual" not in hp.values


@pytest.mark.parametrize("searched", [True, False])
def test_a_still_has_no_motion_and_is_searched_without_it(searched: bool) -> None:
    hp = keras_tuner.HyperParameters()
    model = detector_space((1, *CLIP[1:]), searched=searched).build(hp)
    assert _streams_of(model) == {"spatial", "noise_residual"}
    assert "detector/micro_expression" not in hp.values
    assert model(np.zeros((2, 1, *CLIP[1:]), np.uint8)).shape == (2, 1)


def test_streams_that_are_not_searched_all_stay_on() -> None:
    hp = keras_tuner.HyperParameters()
    model = detector_space(CLIP, searched=False).build(hp)
    assert _streams_of(model) == set(STREAMS)
    assert not {f"detector/{stream}" for stream in STREAMS} & set(hp.values)


@pytest.mark.parametrize("streams", [(), ("audio",), ("spatial", "audio")])
def test_unknown_streams_are_refused(streams: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"streams must be of .*Received:"):
        detector_space(CLIP, streams=streams)


def test_names_of_hyperparameters_and_layers_are_the_same_in_every_build_and_process() -> None:
    script = (
        "import json, keras_tuner\n"
        "from spaces.detector import detector_space\n"
        "hp = keras_tuner.HyperParameters()\n"
        f"model = detector_space({CLIP}).build(hp)\n"
        "print(json.dumps([list(hp.values), [layer.name for layer in model.layers]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    elsewhere = json.loads(done.stdout.splitlines()[-1])
    graph = detector_space(CLIP)
    for _ in range(2):
        hp = keras_tuner.HyperParameters()
        model = graph.build(hp)
        assert [list(hp.values), [layer.name for layer in model.layers]] == elsewhere


def test_the_detector_block_comes_back_with_the_pins_of_its_inner_blocks(
    come_back: Callable[[Any], Any],
) -> None:
    block = DetectorBlock(
        streams=("spatial",),
        searched=False,
        spatial=SpatialBlock(filters=4, stages=2, frame_stride=2),
        temporal=TemporalBlock("mean"),
        fusion=FusionBlock("concatenation", units=3),
    )
    again = come_back(block)
    assert again.get_config() == block.get_config()
    hp = keras_tuner.HyperParameters()
    frames = keras.Input(CLIP, dtype="uint8")
    assert again.build(hp, frames).shape == (None, 3)
    assert set(hp.values) == {"detector/spatial/backbone"}


def test_the_head_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    again = come_back(FakeProbabilityHead(dropout=0.0))
    model, hp = build_block(again, (6,))
    assert hp.space == []
    assert model.output_shape == (None, 1)
    assert model.get_layer("fake_probability_dropout").rate == 0
