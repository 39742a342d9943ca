"""The spatial stream builds on any clip, and trains what it is asked to train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from spaces.spatial import SpatialBlock

Frames = npt.NDArray[np.uint8]
SHAPE = (5, 32, 32, 4)


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "vgg16.weights.h5"
    keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3)).save_weights(
        path
    )
    return path


def _trained_weights_changed(stream: keras.Model, clips: Frames) -> bool:
    """Whether one step of training changes any weight of the stream."""
    y = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(stream.output))
    model = keras.Model(stream.input, y)
    model.compile(keras.optimizers.SGD(1.0, clipnorm=1.0), "mean_squared_error", run_eagerly=True)
    before = stream.get_weights()
    model.train_on_batch(clips, np.full((2, 1), 100.0))
    after = stream.get_weights()
    return any(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))


def test_the_defaults_build_a_small_network_frame_by_frame(
    build_block: Callable[..., Any], clips: Frames
) -> None:
    model, hp = build_block(SpatialBlock(), SHAPE, dtype="uint8")
    assert set(hp.values) == {
        "spatial/frame_stride",
        "spatial/backbone",
        "spatial/filters",
        "spatial/stages",
    }
    swapped = np.asarray(model(clips[:, ::-1]))
    np.testing.assert_allclose(swapped, np.asarray(model(clips))[:, ::-1], atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 16])
def test_a_clip_of_any_length_builds(build_block: Callable[..., Any], frames: int) -> None:
    model, hp = build_block(SpatialBlock(), (frames, 32, 32, 4), dtype="uint8")
    assert 1 <= model.output_shape[1] <= frames
    (stride,) = (entry for entry in hp.space if entry.name == "spatial/frame_stride")
    assert max(stride.values) < max(2, frames)


def test_pinned_choices_are_not_searched(build_block: Callable[..., Any]) -> None:
    block = SpatialBlock(filters=4, stages=2, frame_stride=2)
    model, hp = build_block(block, SHAPE, dtype="uint8")
    assert set(hp.values) == {"spatial/backbone"}
    assert model.output_shape == (None, 3, 8)


@pytest.mark.parametrize("name", ["vgg16", "resnet50"])
def test_a_pretrained_network_can_be_chosen(build_block: Callable[..., Any], name: str) -> None:
    block = SpatialBlock(backbones=("small_cnn", name), weights="none", frame_stride=4)
    model, hp = build_block(block, SHAPE, values={"spatial/backbone": name}, dtype="uint8")
    assert model.output_shape == (None, 2, {"vgg16": 512, "resnet50": 2048}[name])
    assert "spatial/filters" not in hp.values


def test_a_frozen_backbone_keeps_its_weights(
    build_block: Callable[..., Any], clips: Frames, weights_file: Path
) -> None:
    block = SpatialBlock(("vgg16",), str(weights_file), frozen=True, frame_stride=4)
    model, _ = build_block(block, SHAPE, dtype="uint8")
    assert not _trained_weights_changed(model, clips)


def test_a_backbone_that_is_not_frozen_learns(
    build_block: Callable[..., Any], clips: Frames, weights_file: Path
) -> None:
    block = SpatialBlock(("vgg16",), str(weights_file), frozen=False, frame_stride=4)
    model, _ = build_block(block, SHAPE, dtype="uint8")
    assert _trained_weights_changed(model, clips)


def test_a_backbone_without_pretrained_weights_learns_even_if_frozen_is_asked(
    build_block: Callable[..., Any], clips: Frames
) -> None:
    block = SpatialBlock(("vgg16",), "none", frozen=True, frame_stride=4)
    model, hp = build_block(block, SHAPE, dtype="uint8")
    assert _trained_weights_changed(model, clips)
    assert "spatial/frozen" not in hp.values


@pytest.mark.parametrize("frozen", [True, False])
def test_the_search_may_decide_about_freezing(
    build_block: Callable[..., Any], weights_file: Path, frozen: bool
) -> None:
    block = SpatialBlock(("vgg16",), str(weights_file), frozen=None, frame_stride=4)
    model, hp = build_block(block, SHAPE, values={"spatial/frozen": frozen}, dtype="uint8")
    assert "spatial/frozen" in {entry.name for entry in hp.space}
    assert bool(model.trainable_weights) is not frozen


@pytest.mark.parametrize("backbones", [(), ("small_cnn", "alexnet")])
def test_an_unknown_backbone_is_refused(backbones: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"backbones must be of .*Received:"):
        SpatialBlock(backbones=backbones)


def test_the_stream_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    block = SpatialBlock(("small_cnn",), "none", None, filters=4, stages=2, frame_stride=2)
    again = come_back(block)
    assert again.get_config() == block.get_config()
    assert build_block(again, SHAPE, dtype="uint8")[0].output_shape == (None, 3, 8)
