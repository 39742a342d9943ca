"""The detector wires its streams as asked, and its file opens wherever Keras is."""

from __future__ import annotations

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

from artifacts.models.trust import check_model_file
from spaces.detector import (
    DetectorBlock,
    DetectorGraph,
    FakeProbabilityHead,
    detector_space,
)
from spaces.fusion import FusionBlock
from spaces.gan.choices import GanChoices
from spaces.gan.networks import discriminator
from spaces.streams.gan import GanStreamBlock
from spaces.streams.micro_expression import MicroExpressionBlock
from spaces.streams.names import STREAMS
from spaces.streams.spatial import SpatialBlock
from spaces.streams.temporal import TemporalBlock
from spaces.training.space import TrainingChoices, compile_detector

Frames = npt.NDArray[np.uint8]
CLIP = (5, 32, 32, 4)
DRAWS = 5
AGREEMENT = 1e-5

# AutoKeras builds models on a list of inputs; one array for a list of one is what is meant.
pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`")


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


def test_a_plain_keras_tuner_draws_detectors_that_train(tmp_path: Path, clips: Frames) -> None:
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
    oracle._set_project_dir(str(tmp_path), "search")
    drawn = []
    for _ in range(DRAWS):
        values, model = _draw(oracle, graph)
        drawn.append(json.dumps(values, sort_keys=True))
        compile_detector(model, TrainingChoices())
        model.run_eagerly = True
        assert np.isfinite(model.train_on_batch(clips, np.array([[0], [1]], np.float32))), values
    assert len(set(drawn)) == DRAWS


def test_the_model_keeps_the_contract(clips: Frames) -> None:
    keras.utils.set_random_seed(0)  # weights drawn by chance may saturate the sigmoid
    model = detector_space(CLIP).build(keras_tuner.HyperParameters())
    (tensor,) = model.inputs
    assert (tensor.name, tensor.dtype, tensor.shape) == ("frames", "uint8", (None, *CLIP))
    assert model.output_names == ["fake_probability"]
    found = np.asarray(model(clips))
    assert found.shape == (2, 1)
    assert found.dtype == np.float32
    assert ((found > 0) & (found < 1)).all()


@pytest.mark.parametrize("name", ["resnet50", "vgg16"])
def test_a_detector_on_a_large_backbone_reloads_too(
    name: str, clips: Frames, tmp_path: Path
) -> None:
    spatial = SpatialBlock(backbones=(name,), weights="none", frame_stride=4)
    temporal = TemporalBlock(kind="mean")
    graph = detector_space(CLIP, streams=("spatial",), spatial=spatial, temporal=temporal)
    model = graph.build(keras_tuner.HyperParameters())
    model.save(tmp_path / "model.h5", include_optimizer=False)
    check_model_file(tmp_path / "model.h5")
    again = keras.models.load_model(tmp_path / "model.h5", compile=False)
    np.testing.assert_allclose(again(clips), model(clips), atol=AGREEMENT)


MODALITIES = {"flow": (4, 16, 16, 3), "audio": (5, 64, 40)}


@pytest.mark.parametrize(
    ("off", "source", "inputs"),
    [
        ("none", "flow", ["frames", "flow", "audio"]),
        ("none", "differences", ["frames", "audio"]),
        ("micro_expression", "flow", ["frames", "audio"]),
        ("audio", "flow", ["frames", "flow"]),
    ],
)
def test_a_model_takes_the_frames_and_what_its_streams_look_at(
    off: str, source: str, inputs: list[str], tmp_path: Path
) -> None:
    streams = [stream for stream in STREAMS if stream != off]
    graph = detector_space(
        CLIP,
        MODALITIES,
        streams=streams,
        searched=False,
        micro_expression=MicroExpressionBlock(network="ststnet", source=source),
    )
    model = graph.build(keras_tuner.HyperParameters())
    assert [tensor.name for tensor in model.inputs] == inputs
    model.save(tmp_path / "model.h5", include_optimizer=False)
    again = keras.models.load_model(tmp_path / "model.h5", compile=False)
    assert [tensor.name for tensor in again.inputs] == inputs


def test_a_detector_of_sound_alone_takes_frames_all_the_same() -> None:
    model = detector_space(CLIP, MODALITIES, streams=("audio",)).build(
        keras_tuner.HyperParameters()
    )
    rng = np.random.default_rng(0)
    sound = rng.uniform(-15, 0, (2, *MODALITIES["audio"])).astype(np.float16)
    frames = np.zeros((2, *CLIP), np.uint8)
    found = np.asarray(model([frames, sound]))
    np.testing.assert_array_equal(np.asarray(model([frames + 9, sound])), found)
    assert (np.asarray(model([frames, sound - 5])) != found).any()


def _streams_of(model: keras.Model) -> set[str]:
    return {
        stream
        for stream in STREAMS
        if any(layer.name.startswith(f"{stream}_") for layer in model.layers)
    }


VISUAL = STREAMS[:3]


@pytest.mark.parametrize("off", VISUAL)
def test_each_stream_can_be_switched_off(off: str) -> None:
    hp = keras_tuner.HyperParameters()
    hp.values[f"detector/{off}"] = False
    model = detector_space(CLIP).build(hp)
    assert _streams_of(model) == set(VISUAL) - {off}
    assert not any(name.startswith(f"detector/{off}/") for name in hp.values)


def test_the_last_stream_stays_on_when_all_are_off() -> None:
    hp = keras_tuner.HyperParameters()
    hp.values.update({f"detector/{stream}": False for stream in VISUAL})
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
    assert _streams_of(model) == set(VISUAL)
    assert not {f"detector/{stream}" for stream in STREAMS} & set(hp.values)


def test_the_features_of_a_discriminator_are_a_stream_where_one_is_given(tmp_path: Path) -> None:
    path = tmp_path / "discriminator.keras"
    discriminator(GanChoices(kind="convolutional"), spectral=False).save(path)
    gan = GanStreamBlock(str(path))
    hp = keras_tuner.HyperParameters()
    assert _streams_of(detector_space(CLIP, gan=gan).build(hp)) == {*VISUAL, "gan"}
    assert (hp.values["detector/gan"], hp.values["detector/gan/frame_stride"]) == (True, 2)
    hp.values["detector/gan"] = False
    assert _streams_of(detector_space(CLIP, gan=gan).build(hp)) == set(VISUAL)
    alone = detector_space((1, *CLIP[1:]), streams=("gan",), gan=gan)
    assert _streams_of(alone.build(keras_tuner.HyperParameters())) == {"gan"}
    with pytest.raises(ValueError, match=r"\(gan: there is no discriminator of a GAN\)"):
        detector_space(CLIP, streams=("gan",)).build(keras_tuner.HyperParameters())


@pytest.mark.parametrize("streams", [(), ("taste",), ("spatial", "taste")])
def test_unknown_streams_are_refused(streams: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"streams must be of .*Received:"):
        detector_space(CLIP, streams=streams)


def test_without_what_its_streams_need_there_is_no_detector() -> None:
    graph = detector_space((1, *CLIP[1:]), streams=("micro_expression", "audio"))
    with pytest.raises(ValueError, match=r"no stream can be built \(micro_expression: .*audio: "):
        graph.build(keras_tuner.HyperParameters())
    with pytest.raises(ValueError, match="modalities must be of"):
        DetectorBlock(modalities=("depth",))


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
        gan=GanStreamBlock("discriminator.keras", frame_stride=1),
        fusion=FusionBlock("concatenation", units=3),
    )
    again = come_back(block)
    assert again.get_config() == block.get_config()
    hp = keras_tuner.HyperParameters()
    frames = keras.Input(CLIP, dtype="uint8")
    assert again.build(hp, frames).shape == (None, 3)
    assert hp.values == {}


def test_the_head_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    again = come_back(FakeProbabilityHead(dropout=0.3))
    model, hp = build_block(again, (6,))
    assert hp.space == []
    assert model.output_shape == (None, 1)
    assert model.get_layer("fake_probability_dropout").rate == 0.3


def test_a_head_without_dropout_has_no_random_layer(build_block: Callable[..., Any]) -> None:
    model, _ = build_block(FakeProbabilityHead(dropout=0.0), (6,))
    assert [layer.name for layer in model.layers[1:]] == ["fake_probability"]
