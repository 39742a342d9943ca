"""The spatial stream builds on any clip, asks for what it uses, and trains what it should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from artifacts.models.trust import check_model_file
from spaces.backbones.names import SMALL_NETWORKS
from spaces.backbones.pretrained import BackboneError
from spaces.streams.spatial import SpatialBlock

Frames = npt.NDArray[np.uint8]
SHAPE = (5, 32, 32, 4)


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg16.weights.h5"
    keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3)).save_weights(
        path
    )
    return path


def _changed_layers(stream: keras.Model, clips: Frames) -> set[str]:
    """Names of the network's layers that one step of training changes."""
    y = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(stream.output))
    model = keras.Model(stream.input, y)
    model.compile(keras.optimizers.SGD(1.0, clipnorm=1.0), "mean_squared_error", run_eagerly=True)
    layers = [layer for layer in stream.get_layer("vgg16").layers if layer.weights]
    before = [layer.get_weights() for layer in layers]
    model.train_on_batch(clips, np.full((2, 1), 100.0))
    return {
        layer.name
        for layer, old in zip(layers, before, strict=True)
        if not np.array_equal(old[0], layer.get_weights()[0])
    }


def test_the_defaults_build_a_small_network_frame_by_frame(
    build_block: Callable[..., Any], clips: Frames
) -> None:
    model, hp = build_block(SpatialBlock(), SHAPE, dtype="uint8")
    assert set(hp.values) == {"spatial/frame_stride", "spatial/filters", "spatial/stages"}
    swapped = np.asarray(model(clips[:, ::-1]))
    np.testing.assert_allclose(swapped, np.asarray(model(clips))[:, ::-1], atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 16])
def test_a_clip_of_any_length_builds(build_block: Callable[..., Any], frames: int) -> None:
    model, hp = build_block(SpatialBlock(), (frames, 32, 32, 4), dtype="uint8")
    assert 1 <= model.output_shape[1] <= frames
    strides = [entry.values for entry in hp.space if entry.name == "spatial/frame_stride"]
    assert len(strides) == (frames > 2)
    assert all(max(values) < frames for values in strides)


def test_pinned_choices_are_not_searched(build_block: Callable[..., Any]) -> None:
    block = SpatialBlock(filters=4, stages=2, frame_stride=2)
    model, hp = build_block(block, SHAPE, dtype="uint8")
    assert hp.space == []
    assert model.output_shape == (None, 3, 8)


@pytest.mark.parametrize("name", SMALL_NETWORKS)
def test_a_network_asks_for_its_own_choices_alone(
    build_block: Callable[..., Any], name: str
) -> None:
    own = {
        "small_cnn": {"filters", "stages"},
        "small_resnet": {"resnet_filters", "resnet_blocks"},
        "meso": {"meso_filters", "meso_units", "meso_dropout"},
        "small_xception": {"xception_filters", "xception_blocks"},
    }
    block = SpatialBlock(backbones=SMALL_NETWORKS, frame_stride=4)
    _, hp = build_block(block, SHAPE, values={"spatial/backbone": name}, dtype="uint8")
    assert set(hp.values) == {"spatial/backbone", *(f"spatial/{choice}" for choice in own[name])}
    pinned = SpatialBlock((name,), frame_stride=4, **dict.fromkeys(own[name], 1))
    assert build_block(pinned, SHAPE, dtype="uint8")[1].space == []


@pytest.mark.parametrize(("name", "features"), [("vgg16", 512), ("mobilenet_v3_small", 576)])
def test_an_image_network_can_be_chosen(
    build_block: Callable[..., Any], name: str, features: int
) -> None:
    block = SpatialBlock(("small_cnn", name), "none", None, frame_stride=4)
    model, hp = build_block(block, SHAPE, values={"spatial/backbone": name}, dtype="uint8")
    assert model.output_shape == (None, 2, features)
    assert set(hp.values) == {"spatial/backbone"}
    assert isinstance(model.get_layer(name), keras.Model)


@pytest.mark.parametrize("name", ["vgg16", pytest.param("efficientnet_b0", marks=pytest.mark.slow)])
def test_a_stream_reloads_from_a_legacy_file(
    build_block: Callable[..., Any], clips: Frames, tmp_path: Path, name: str
) -> None:
    block = SpatialBlock((name,), "none", frame_stride=4)
    model, _ = build_block(block, SHAPE, dtype="uint8")
    model.save(tmp_path / "stream.h5")
    check_model_file(tmp_path / "stream.h5")
    again = keras.models.load_model(tmp_path / "stream.h5", compile=False)
    np.testing.assert_allclose(again(clips), model(clips), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("trainable_stages", "blocks"), [(0, set()), (1, {"5"}), ("all", {*"12345"})]
)
def test_the_stages_asked_for_learn(
    build_block: Callable[..., Any],
    clips: Frames,
    weights_file: Path,
    trainable_stages: int | str,
    blocks: set[str],
) -> None:
    block = SpatialBlock(("vgg16",), str(weights_file), trainable_stages, frame_stride=4)
    model, hp = build_block(block, SHAPE, dtype="uint8")
    assert hp.space == []
    changed = _changed_layers(model, clips)
    assert {name[len("block")] for name in changed} == blocks


def test_a_network_without_pretrained_weights_learns_even_if_frozen_is_asked(
    build_block: Callable[..., Any], clips: Frames
) -> None:
    block = SpatialBlock(("vgg16",), "none", 0, frame_stride=4)
    model, hp = build_block(block, SHAPE, dtype="uint8")
    assert hp.space == []
    assert len(_changed_layers(model, clips)) == 13


@pytest.mark.parametrize(("stages", "trained"), [("0", 0), ("1", 3), ("2", 6), ("all", 13)])
def test_the_search_may_decide_how_many_stages_train(
    build_block: Callable[..., Any], weights_file: Path, stages: str, trained: int
) -> None:
    block = SpatialBlock(("vgg16",), str(weights_file), None, frame_stride=4)
    asked = {"spatial/trainable_stages": stages}
    model, hp = build_block(block, SHAPE, values=asked, dtype="uint8")
    assert [entry.name for entry in hp.space] == ["spatial/trainable_stages"]
    assert hp.space[0].default == "0"
    assert len(model.trainable_weights) == 2 * trained


def _extents(model: keras.Model, name: str) -> list[int]:
    layers = model.get_layer(name).layers
    return [layer.kernel_size[0] for layer in layers if isinstance(layer, keras.layers.Conv3D)]


@pytest.mark.parametrize("inflated", [0, 1, 2])
def test_stages_may_look_over_time(build_block: Callable[..., Any], inflated: int) -> None:
    for pinned in (True, False):
        block = SpatialBlock(
            ("vgg16",), "none", inflated_stages=inflated if pinned else None, frame_stride=1
        )
        values = {} if pinned else {"spatial/inflated_stages": inflated}
        model, hp = build_block(block, SHAPE, values=values, dtype="uint8")
        assert len(hp.space) == (not pinned)
        assert _extents(model, "vgg16").count(3) == 3 * inflated


@pytest.mark.parametrize(
    ("name", "frames", "pinned"),
    [("vgg16", 2, 2), ("vgg16", 2, None), ("mobilenet_v3_small", 5, None)],
)
def test_what_cannot_look_over_time_does_not(
    build_block: Callable[..., Any], name: str, frames: int, pinned: int | None
) -> None:
    block = SpatialBlock((name,), "none", inflated_stages=pinned, frame_stride=1)
    model, hp = build_block(block, (frames, 32, 32, 4), dtype="uint8")
    assert hp.space == []
    assert set(_extents(model, name)) == {1}


def test_a_network_pinned_to_look_over_time_that_cannot_is_an_error(
    build_block: Callable[..., Any],
) -> None:
    block = SpatialBlock(("mobilenet",), "none", inflated_stages=1, frame_stride=1)
    with pytest.raises(BackboneError, match="mobilenet has no convolution to inflate"):
        build_block(block, SHAPE, dtype="uint8")


@pytest.mark.parametrize(
    "name", ["small_xception", pytest.param("efficientnet_b0", marks=pytest.mark.slow)]
)
def test_a_stream_trains_in_mixed_precision(
    build_block: Callable[..., Any], clips: Frames, name: str
) -> None:
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        block = SpatialBlock((name,), "none", frame_stride=4)
        stream, _ = build_block(block, SHAPE, dtype="uint8")
        y = keras.layers.GlobalAveragePooling1D()(stream.output)
        model = keras.Model(stream.input, keras.layers.Dense(1, dtype="float32")(y))
    finally:
        keras.config.set_dtype_policy(policy)
    model.compile(keras.optimizers.Adam(0.001), "mean_squared_error", run_eagerly=True)
    assert stream.output.dtype == "bfloat16"
    assert np.isfinite(model.train_on_batch(clips, np.ones((2, 1), np.float32)))
    rescaling = [
        layer.compute_dtype
        for layer in stream._flatten_layers()
        if "rescaling" in layer.name or "normalization" in layer.name or "unit" in layer.name
    ]
    assert rescaling
    assert set(rescaling) == {"float32"}


@pytest.mark.parametrize("backbones", [(), ("small_cnn", "alexnet")])
def test_an_unknown_backbone_is_refused(backbones: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"backbones must be of .*Received:"):
        SpatialBlock(backbones=backbones)


def test_an_unknown_number_of_stages_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be a number or 'all'\. Received: 'most'"):
        SpatialBlock(trainable_stages="most")


def test_the_stream_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    block = SpatialBlock(
        ("small_cnn", "meso"), "none", "all", 2, 4, 2, 3, 1, 2, 5, 0.0, 8, 2, frame_stride=2
    )
    again = come_back(block)
    assert again.get_config() == block.get_config()
    assert again.meso_dropout == 0.0
    assert build_block(again, SHAPE, dtype="uint8")[0].output_shape == (None, 3, 8)
