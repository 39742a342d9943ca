"""Small networks see frames one by one, are as large as asked, and learn."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import pytest

from artifacts.models.trust import check_model_file
from spaces.backbones import small_networks
from spaces.backbones.small_networks import SMALL_NETWORKS, strided_conv

Network = Callable[..., keras.KerasTensor]
SHAPE = (3, 32, 32, 3)
PINNED: dict[str, dict[str, float]] = {
    "small_cnn": {"filters": 4, "stages": 2},
    "small_resnet": {"resnet_filters": 4, "resnet_blocks": 2},
    "meso": {"meso_filters": 2, "meso_units": 5, "meso_dropout": 0.0},
    "small_xception": {"xception_filters": 2, "xception_blocks": 2},
}
WIDTHS = {"small_cnn": 8, "small_resnet": 16, "meso": 5, "small_xception": 16}


@pytest.fixture(params=list(SMALL_NETWORKS))
def network(request: pytest.FixtureRequest) -> Network:
    return SMALL_NETWORKS[request.param]


@pytest.fixture(scope="module")
def clip() -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).uniform(0, 1, (2, *SHAPE)).astype(np.float32)


def _built(
    network: Network, shape: tuple[int, ...] = SHAPE, **pinned: float
) -> tuple[keras.Model, keras_tuner.HyperParameters]:
    keras.utils.set_random_seed(2)
    hp = keras_tuner.HyperParameters()
    x = keras.Input(shape)
    return keras.Model(x, network(hp, x, name="net", **pinned)), hp


def _pinned(network: Network) -> dict[str, float]:
    return PINNED[network.__name__]


def test_everything_that_can_be_pinned_is_asked_and_nothing_else(network: Network) -> None:
    _, hp = _built(network)
    arguments = set(inspect.signature(network).parameters) - {"hp", "x", "name"}
    assert set(hp.values) == arguments == set(_pinned(network))


def test_pinned_choices_are_used_and_not_asked(network: Network) -> None:
    model, hp = _built(network, **_pinned(network))
    assert hp.space == []
    assert model.output_shape == (None, 3, WIDTHS[network.__name__])


def test_no_hyperparameter_has_two_meanings() -> None:
    names = [name for pinned in PINNED.values() for name in pinned]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("shape", [(2, 32, 32, 3), (1, 33, 40, 3)])
def test_small_frames_and_stills_build_at_their_largest(
    network: Network, shape: tuple[int, ...]
) -> None:
    hp = keras_tuner.HyperParameters()
    x = keras.Input(shape)
    network(hp, x, name="net")
    largest = {}
    for entry in hp.space:
        values = getattr(entry, "values", None)
        largest[entry.name] = max(values) if values else entry.max_value
    model, _ = _built(network, shape, **largest)
    assert model.output_shape[1] == shape[0]


def test_frames_do_not_see_each_other(network: Network, clip: npt.NDArray[np.float32]) -> None:
    model, _ = _built(network, **_pinned(network))
    answers = np.asarray(model(clip))
    np.testing.assert_allclose(np.asarray(model(clip[:, ::-1]))[:, ::-1], answers, atol=1e-5)
    assert np.abs(answers[:, 0] - answers[:, 1]).max() > 1e-4


def test_a_network_reloads_from_a_legacy_file(
    network: Network, clip: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    model, _ = _built(network, **_pinned(network))
    model.save(tmp_path / "model.h5")
    check_model_file(tmp_path / "model.h5")
    again = keras.models.load_model(tmp_path / "model.h5", compile=False)
    np.testing.assert_allclose(again(clip), model(clip), atol=1e-6)


@pytest.mark.parametrize(
    "network",
    ["small_cnn", *(pytest.param(n, marks=pytest.mark.slow) for n in list(SMALL_NETWORKS)[1:])],
    indirect=True,
)
def test_a_network_learns_to_tell_bright_from_dark(network: Network) -> None:
    features, _ = _built(network, **_pinned(network))
    y = keras.layers.GlobalAveragePooling1D()(features.output)
    model = keras.Model(features.input, keras.layers.Dense(1, activation="sigmoid")(y))
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", run_eagerly=True)
    rng = np.random.default_rng(0)
    labels = np.arange(8, dtype=np.float32)[:, None] % 2
    clips = rng.uniform(0, 0.5, (8, *SHAPE)) + 0.5 * labels[:, None, None, None]
    losses = [model.train_on_batch(clips, labels) for _ in range(15)]
    assert losses[-1] < 0.5 * losses[0]


def test_layers_and_norms_keep_the_conventions(network: Network) -> None:
    model, _ = _built(network, **_pinned(network))
    assert all(layer.name.startswith("net_") for layer in model.layers[1:])
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert norms
    assert {norm.momentum for norm in norms} == {0.9}


def test_meso_is_the_network_of_the_paper() -> None:
    model, hp = _built(small_networks.meso, (1, 256, 256, 3))
    assert hp.values == {"meso_filters": 8, "meso_units": 16, "meso_dropout": 0.5}
    convs = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv3D)]
    assert [(conv.filters, conv.kernel_size) for conv in convs] == [
        (8, (1, 3, 3)),
        (8, (1, 5, 5)),
        (16, (1, 5, 5)),
        (16, (1, 5, 5)),
    ]
    assert model.get_layer("net_pool4").output.shape == (None, 1, 8, 8, 16)
    # Meso4 trains 27,977 weights; those of its answer are the detector's.
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert trained == 27_977 - 17


def test_dropout_of_nothing_is_left_out() -> None:
    names = {layer.name for layer in _built(small_networks.meso, meso_dropout=0.0)[0].layers}
    assert "net_dropout" not in names
    names = {layer.name for layer in _built(small_networks.meso, meso_dropout=0.1)[0].layers}
    assert "net_dropout" in names


def test_a_residual_network_passes_on_what_came_in() -> None:
    model, _ = _built(small_networks.small_resnet, resnet_filters=4, resnet_blocks=2)
    before = model.get_layer("net_stage1_block1_relu").output
    add = model.get_layer("net_stage1_block2_add")
    assert add.input[0] is before
    assert sum("shortcut_conv" in layer.name for layer in model.layers) == 3


def test_a_stage_halves_each_frame() -> None:
    x = keras.Input((3, 8, 12, 2))
    assert strided_conv(x, 5, name="a").shape == (None, 3, 4, 6, 5)
    assert strided_conv(x, 5, stride=1, name="b").shape == (None, 3, 8, 12, 5)
