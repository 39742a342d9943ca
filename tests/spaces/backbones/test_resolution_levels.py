"""Only the stages asked for train, whatever the network, and a file remembers which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from spaces.backbones.inflation import inflate
from spaces.backbones.resolution_levels import resolution_levels, train_last_levels

SHAPE = (32, 32, 3)


def _inflated(build: Callable[..., keras.Model]) -> keras.Model:
    flat = build(include_top=False, weights=None, input_shape=SHAPE)
    return inflate(flat, name="network", frames=2)


@pytest.fixture
def vgg16() -> keras.Model:
    return _inflated(keras.applications.VGG16)


@pytest.fixture
def efficientnet() -> keras.Model:
    return _inflated(keras.applications.EfficientNetB0)


def _trained(network: keras.Model) -> set[str]:
    return {layer.name for layer in network.layers if layer.trainable_weights}


def _block(*numbers: int) -> set[str]:
    plan = {1: 2, 2: 2, 3: 3, 4: 3, 5: 3}
    return {f"block{b}_conv{c + 1}" for b in numbers for c in range(plan[b])}


def test_a_stage_is_the_layers_of_one_resolution(vgg16: keras.Model) -> None:
    names = [[layer.name for layer in stage] for stage in resolution_levels(vgg16)]
    assert names[0] == ["block1_conv1", "block1_conv2"]
    assert names[1] == ["block1_pool", "block2_conv1", "block2_conv2"]
    assert names[4][-2:] == ["block5_conv3", "block5_pool"]
    assert len(names) == 5


def test_squeeze_and_excitation_belongs_to_the_stage_it_excites(
    efficientnet: keras.Model,
) -> None:
    by_name = {
        layer.name: n for n, stage in enumerate(resolution_levels(efficientnet)) for layer in stage
    }
    for block, stage in (("1a", 0), ("2b", 1), ("4b", 3), ("6a", 4)):
        inside = {name: n for name, n in by_name.items() if name.startswith(f"block{block}_se")}
        assert len(inside) == 5
        assert set(inside.values()) == {stage}
    assert by_name["block6a_expand_conv"] == 3
    assert by_name["block6a_dwconv"] == by_name["top_conv"] == 4


@pytest.mark.parametrize(
    ("count", "blocks"),
    [
        (0, ()),
        (1, (5,)),
        (2, (4, 5)),
        ("2", (4, 5)),
        (5, (1, 2, 3, 4, 5)),
        (9, (1, 2, 3, 4, 5)),
        ("all", (1, 2, 3, 4, 5)),
    ],
)
def test_the_last_stages_train(
    vgg16: keras.Model, count: int | str, blocks: tuple[int, ...]
) -> None:
    train_last_levels(vgg16, count)
    assert _trained(vgg16) == _block(*blocks)
    train_last_levels(vgg16, "all")
    assert _trained(vgg16) == _block(1, 2, 3, 4, 5)


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_a_file_remembers_which_stages_train(tmp_path: Path, ending: str) -> None:
    x = keras.Input((16, 16, 3))
    y = x
    for place in range(3):
        y = keras.layers.Conv2D(4, 3, strides=2, padding="same", name=f"conv{place}")(y)
        y = keras.layers.BatchNormalization(name=f"norm{place}")(y)
        y = keras.layers.DepthwiseConv2D(3, padding="same", name=f"depthwise{place}")(y)
    network = inflate(keras.Model(x, y), name="network", frames=2)
    train_last_levels(network, 1)
    assert _trained(network) == {"conv2", "norm2", "depthwise2"}
    clip = keras.Input((2, 16, 16, 3))
    model = keras.Model(clip, network(clip))
    weights = [
        np.random.default_rng(n).uniform(0.5, 1, w.shape) for n, w in enumerate(model.weights)
    ]
    model.set_weights(weights)
    model.save(tmp_path / f"model.{ending}")
    again = keras.models.load_model(tmp_path / f"model.{ending}", compile=False)
    assert _trained(again.get_layer("network")) == {"conv2", "norm2", "depthwise2"}
    frames = np.random.default_rng(0).normal(size=(1, 2, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(again(frames), model(frames), rtol=1e-6)


def test_batch_norms_learn_their_statistics_in_trained_stages_alone(
    efficientnet: keras.Model,
) -> None:
    train_last_levels(efficientnet, 2)
    trained = {layer.name for stage in resolution_levels(efficientnet)[-2:] for layer in stage}
    norms = [
        layer for layer in efficientnet.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    before = {norm.name: np.asarray(norm.moving_variance) for norm in norms}
    efficientnet(np.random.default_rng(0).uniform(0, 255, (2, 2, *SHAPE)), training=True)
    moved = {n.name for n in norms if (np.asarray(n.moving_variance) != before[n.name]).any()}
    assert moved == {norm.name for norm in norms} & trained
    assert {norm.momentum for norm in norms if norm.name in trained} == {0.9}


def test_frozen_stages_drop_nothing(efficientnet: keras.Model) -> None:
    clip = np.random.default_rng(0).uniform(0, 255, (2, 2, *SHAPE))
    train_last_levels(efficientnet, 1)
    rates = {layer.name: layer.rate for layer in efficientnet.layers if hasattr(layer, "rate")}
    assert rates["block4b_drop"] == 0
    assert rates["block6b_drop"] > 0
    train_last_levels(efficientnet, 0)
    training, answering = (np.asarray(efficientnet(clip, training=t)) for t in (True, False))
    np.testing.assert_array_equal(training, answering)
