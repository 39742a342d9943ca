"""The micro-expression stream sees motion and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import optuna
import pytest

from artifacts.models.trust import check_model_file
from search.studies.hyperparameters import OptunaHyperParameters
from spaces.streams.micro_expression import MicroExpressionBlock
from spaces.streams.micro_expression_networks import NETWORKS
from spaces.streams.motion import REGIONS

Frames = npt.NDArray[np.uint8]
SHAPE = (5, 32, 32, 4)
FLOW_SHAPE = (4, 16, 16, 3)
TAKEN = [(network, source) for network, one in NETWORKS.items() for source in one.sources]
OWN = {"width": 1.0, "dropout": 0.0, "units": 8}


def _build(
    block: MicroExpressionBlock, hp: Any, shape: tuple[int, ...] = SHAPE, flow: bool = True
) -> keras.Model:
    """The block as a model of frames, and flow if there is any."""
    inputs = [keras.Input(shape, dtype="uint8", name="frames")]
    if flow:
        halves = (shape[0] - 1, shape[1] // 2, shape[2] // 2, 3)
        inputs.append(keras.Input(halves, dtype="float16", name="flow"))
    return keras.Model(inputs, block.build(hp, inputs))


@pytest.fixture(scope="module")
def moving(clips: Frames) -> list[npt.NDArray[Any]]:
    """Frames and a flow of which each pixel says something else."""
    return [clips, np.random.default_rng(2).normal(0, 3, (2, *FLOW_SHAPE)).astype(np.float16)]


@pytest.mark.parametrize(("network", "source"), TAKEN)
def test_a_pinned_block_asks_nothing_and_gives_one_embedding(
    moving: list[npt.NDArray[Any]], network: str, source: str
) -> None:
    hp = keras_tuner.HyperParameters()
    model = _build(MicroExpressionBlock(network, source, "eyes", **OWN), hp)
    assert hp.space == []
    found = np.asarray(model(moving))
    assert found.shape == (2, 16 if network == "ststnet" else 8)
    assert np.isfinite(found).all()
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("network", NETWORKS)
def test_only_what_is_used_is_asked(network: str, flow: bool) -> None:
    hp = keras_tuner.HyperParameters()
    hp.values["micro_expression/network"] = network
    _build(MicroExpressionBlock(), hp, flow=flow)
    possible = [source for source in NETWORKS[network].sources if flow or source != "flow"]
    asked = {"network", "region", "dropout", f"{network}_width", f"{network}_units"}
    asked |= {f"{network}_source"} if len(possible) > 1 else set()
    assert set(hp.values) == {f"micro_expression/{name}" for name in asked}
    for entry in hp.space:
        if entry.name == f"micro_expression/{network}_source":
            assert entry.values == possible


def test_the_defaults_are_those_of_ststnet() -> None:
    hp = keras_tuner.HyperParameters()
    model = _build(MicroExpressionBlock(), hp)
    assert hp.values == {
        "micro_expression/network": "ststnet",
        "micro_expression/region": "face",
        "micro_expression/dropout": 0.5,
        "micro_expression/ststnet_source": "flow",
        "micro_expression/ststnet_width": 1.0,
        "micro_expression/ststnet_units": 32,
    }
    assert model.get_layer("micro_expression_paths").output.shape[-1] == 16


def test_a_pinned_source_leaves_the_networks_that_take_it() -> None:
    for source, names in (("grey", ["microexpstcnn", "learnet"]), ("flow", list(NETWORKS))):
        hp = keras_tuner.HyperParameters()
        _build(MicroExpressionBlock(source=source, region="face", dropout=0.0), hp)
        (entry,) = (one for one in hp.space if one.name == "micro_expression/network")
        assert entry.values == names
        assert not [name for name in hp.values if name.endswith("_source")]


@pytest.mark.parametrize("flow", [False, True])
def test_one_study_can_ask_every_kind(flow: bool) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    chosen = set()
    for _ in range(15):
        trial = study.ask()
        hp = OptunaHyperParameters(trial)
        _build(MicroExpressionBlock(), hp, flow=flow)
        study.tell(trial, 0.0)
        network = hp.values["micro_expression/network"]
        chosen.add(network)
        for other in set(NETWORKS) - {network}:
            assert not [name for name in trial.params if f"/{other}_" in name]
    assert chosen == set(NETWORKS)


@pytest.mark.parametrize("shape", [(2, 32, 32, 4), (3, 45, 45, 4), (32, 256, 256, 4)])
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize(("network", "source"), TAKEN)
def test_clips_of_any_length_and_size_build(
    network: str, source: str, region: str, shape: tuple[int, ...]
) -> None:
    block = MicroExpressionBlock(network, source, region, **OWN)
    model = _build(block, keras_tuner.HyperParameters(), shape, flow=source == "flow")
    seen = model.get_layer("micro_expression_maps_norm").output.shape
    for side in seen[2:4]:
        assert NETWORKS[network].side / 1.55 <= side <= NETWORKS[network].side * 1.5


@pytest.mark.parametrize("network", ["ststnet", "learnet"])
def test_all_faces_that_do_not_move_look_the_same(
    build_block: Callable[..., Any], clips: Frames, network: str
) -> None:
    model, _ = build_block(MicroExpressionBlock(network), SHAPE, dtype="uint8")
    still = np.repeat(clips[:, :1], 5, axis=1)
    one, other = np.asarray(model(still))
    np.testing.assert_allclose(one, other, atol=1e-3)
    assert np.abs(np.asarray(model(clips)) - one).max() > 1e-2


def test_only_the_region_is_looked_at(clips: Frames) -> None:
    block = MicroExpressionBlock("ststnet", "differences", "mouth", **OWN)
    model = _build(block, keras_tuner.HyperParameters(), flow=False)
    above, within = clips.copy(), clips.copy()
    above[:, :, :16] = 0
    within[:, ::2, 20:26, 10:20] = 0
    expected = np.asarray(model([clips]))
    np.testing.assert_array_equal(np.asarray(model([above])), expected)
    assert np.abs(np.asarray(model([within])) - expected).max() > 1e-3


@pytest.mark.parametrize("network", NETWORKS)
def test_flow_is_looked_at_instead_of_frames(moving: list[npt.NDArray[Any]], network: str) -> None:
    model = _build(MicroExpressionBlock(network, "flow"), keras_tuner.HyperParameters())
    frames, flow = moving
    expected = np.asarray(model([frames, flow]))
    np.testing.assert_array_equal(np.asarray(model([255 - frames, flow])), expected)
    assert np.abs(np.asarray(model([frames, -flow])) - expected).max() > 1e-3


def test_colour_is_not_looked_at(build_block: Callable[..., Any], clips: Frames) -> None:
    model, _ = build_block(MicroExpressionBlock(), SHAPE, dtype="uint8")
    recoloured = clips.copy()
    recoloured[..., :3] = 255 - recoloured[..., :3]
    np.testing.assert_array_equal(np.asarray(model(recoloured)), np.asarray(model(clips)))


@pytest.mark.parametrize(("network", "source"), TAKEN)
def test_the_h5_opens_with_stock_keras_and_predicts_the_same(
    moving: list[npt.NDArray[Any]], tmp_path: Path, network: str, source: str
) -> None:
    block = MicroExpressionBlock(network, source, "eyes", width=1.0, units=8)
    model = _build(block, keras_tuner.HyperParameters())
    path = tmp_path / "model.h5"
    model.save(path, include_optimizer=False)
    check_model_file(path)
    again = keras.models.load_model(path, compile=False)
    np.testing.assert_allclose(np.asarray(again(moving)), np.asarray(model(moving)), atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_layers_are_named_the_same_in_every_build(network: str) -> None:
    block = MicroExpressionBlock(network)
    names = [
        [layer.name for layer in _build(block, keras_tuner.HyperParameters()).layers]
        for _ in range(2)
    ]
    assert names[0] == names[1]
    assert all(name.startswith(("micro_expression_", "frames", "flow")) for name in names[0])


@pytest.mark.parametrize(("network", "source"), TAKEN)
def test_it_trains_in_mixed_precision(
    moving: list[npt.NDArray[Any]], network: str, source: str
) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        block = MicroExpressionBlock(network, source, "mouth", units=8)
        model = _build(block, keras_tuner.HyperParameters())
        model.compile("adam", "mean_squared_error", run_eagerly=True)
        loss = model.train_on_batch(moving, np.ones((2, *model.output_shape[1:])))
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(loss)
    maps = model.get_layer("micro_expression_maps_norm")
    assert maps.compute_dtype == "bfloat16"
    assert maps._inbound_nodes[0].input_tensors[0].dtype == "float32"


@pytest.mark.parametrize(
    ("network", "source"),
    [("ststnet", "differences"), ("microexpstcnn", "grey"), ("learnet", "grey")],
)
def test_it_learns_to_tell_synthetic_clips_that_move_from_frozen_ones(
    network: str, source: str
) -> None:
    rng = np.random.default_rng(4)
    wide = rng.integers(40, 216, (48, 8, 10), np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    moves = np.arange(48) % 2
    frames = np.empty((48, *SHAPE), np.uint8)
    for at, picture in enumerate(wide):
        for time in range(SHAPE[0]):
            start = 2 * time * moves[at]
            frames[at, time] = picture[:, start : start + 32, None]
    keras.utils.set_random_seed(1)
    block = MicroExpressionBlock(network, source, width=0.25, dropout=0.0, units=32)
    clip = keras.Input(SHAPE, dtype="uint8")
    embedding = block.build(keras_tuner.HyperParameters(), clip)
    model = keras.Model(clip, keras.layers.Dense(1, activation="sigmoid")(embedding))
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy")
    model.fit(frames[:32], moves[:32], batch_size=8, epochs=6, verbose=0)
    found = model.predict(frames[32:], verbose=0)[:, 0] > 0.5
    assert (found == moves[32:]).mean() >= 0.9


def test_a_single_frame_has_no_motion_and_is_refused(build_block: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"needs 2 frames a clip. Received: 1"):
        build_block(MicroExpressionBlock(), (1, 32, 32, 4), dtype="uint8")


def test_flow_that_is_pinned_and_not_there_is_asked_for(build_block: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="prepare them with --modalities flow"):
        build_block(MicroExpressionBlock(source="flow"), SHAPE, dtype="uint8")


@pytest.mark.parametrize(
    ("pinned", "expected"),
    [
        ({"network": "resnet"}, "network must be of .*ststnet.*Received: 'resnet'"),
        ({"source": "sound"}, "source of a network must be of .*Received: 'sound'"),
        ({"network": "ststnet", "source": "grey"}, "source of ststnet must be of .*'grey'"),
        ({"region": "nose"}, "region must be of .*Received: 'nose'"),
    ],
)
def test_unknown_choices_are_refused(pinned: dict[str, str], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        MicroExpressionBlock(**pinned)  # type: ignore[arg-type]


def test_the_stream_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    block = MicroExpressionBlock("learnet", "grey", "eyes", 0.25, 0.0, 8, name="motion")
    again = come_back(block)
    assert again.get_config() == block.get_config()
    model, hp = build_block(again, SHAPE, dtype="uint8")
    assert hp.space == []
    assert model.output_shape == (None, 8)
