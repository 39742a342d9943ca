"""Fusion makes one embedding of any number of streams, and shows what each is worth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import pytest

from artifacts.models.trust import check_model_file
from spaces.fusion import KINDS, FusionBlock, fused_streams, stream_weights

SHAPES = ((3,), (5,), (4,))
NAMES = ("spatial", "noise_residual", "audio")


def _embeddings(clips: int = 2) -> list[npt.NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(clips, *shape)).astype(np.float32) for shape in SHAPES]


def _named(block: FusionBlock) -> keras.Model:
    """A model that fuses three streams under their names."""
    inputs = [keras.Input(shape) for shape in SHAPES]
    return keras.Model(inputs, block.build(keras_tuner.HyperParameters(), inputs, names=NAMES))


def _with_head(model: keras.Model) -> keras.Model:
    y = keras.layers.Dense(1, activation="sigmoid", dtype="float32")(model.outputs[0])
    trained = keras.Model(model.inputs, y)
    trained.compile(keras.optimizers.Adam(0.02), "binary_crossentropy")
    return trained


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("streams", [2, 3])
def test_streams_of_any_number_and_width_are_fused(
    build_block: Callable[..., Any], kind: str, streams: int
) -> None:
    model, hp = build_block(FusionBlock(), *SHAPES[:streams], values={"fusion/kind": kind})
    assert set(hp.values) == {"fusion/kind", "fusion/units", "fusion/stream_dropout"}
    units = hp.values["fusion/units"]
    assert model.output_shape == (None, units * (streams if kind == "concatenation" else 1))


@pytest.mark.parametrize("block", [FusionBlock(), FusionBlock("gated", stream_dropout=0.5)])
def test_a_single_stream_is_projected_and_nothing_else(
    build_block: Callable[..., Any], block: FusionBlock
) -> None:
    model, hp = build_block(block, (3,))
    assert set(hp.values) == {"fusion/units"}
    assert [layer.name for layer in model.layers][1:] == ["fusion_project_1"]


def test_attention_mixes_the_streams_by_weights_that_sum_to_one(
    build_block: Callable[..., Any],
) -> None:
    model, _ = build_block(FusionBlock("attention", units=6), *SHAPES)
    inside = keras.Model(
        model.inputs,
        [model.get_layer(f"fusion_{name}").output for name in ("weights", "streams", "embedding")],
    )
    weights, streams, embedding = (np.asarray(value) for value in inside(_embeddings()))
    assert weights.shape == (2, 3)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose((weights[..., None] * streams).sum(axis=1), embedding, atol=1e-5)


def test_gates_open_each_unit_of_each_stream_by_itself(build_block: Callable[..., Any]) -> None:
    model, _ = build_block(FusionBlock("gated", units=6), *SHAPES)
    inside = keras.Model(
        model.inputs,
        [model.get_layer(f"fusion_{name}").output for name in ("gates", "streams", "embedding")],
    )
    gates, streams, embedding = (np.asarray(value) for value in inside(_embeddings()))
    assert gates.shape == (2, 3, 6)
    assert ((gates > 0) & (gates < 1)).all()
    assert gates.std() > 0.01
    np.testing.assert_allclose((gates * streams).mean(axis=1), embedding, atol=1e-5)


def test_layers_are_called_by_the_names_of_the_streams() -> None:
    names = [layer.name for layer in _named(FusionBlock()).layers]
    assert {f"fusion_project_{name}" for name in NAMES} < set(names)


@pytest.mark.parametrize("names", [("spatial",), ("spatial", "spatial")])
def test_streams_and_names_must_match(names: tuple[str, ...]) -> None:
    inputs = [keras.Input((3,)), keras.Input((4,))]
    with pytest.raises(ValueError, match=r"2 streams need as many names. Received:"):
        FusionBlock().build(keras_tuner.HyperParameters(), inputs, names=names)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_streams_are_dropped_clip_by_clip_and_in_training_alone(kind: str) -> None:
    keras.utils.set_random_seed(0)
    model = _named(FusionBlock(kind, units=6, stream_dropout=0.4))
    inside = keras.Model(
        model.inputs,
        [model.get_layer(f"fusion_{name}").output for name in ("streams", "stream_dropout")],
    )
    given, kept = map(np.asarray, inside(_embeddings(500)))
    np.testing.assert_array_equal(kept, given)

    given, kept = map(np.asarray, inside(_embeddings(500), training=True))
    seen = given.any(axis=-1)
    dropped = seen & ~kept.any(axis=-1)
    np.testing.assert_allclose(kept[~dropped], given[~dropped] / 0.6, rtol=1e-5)
    share = dropped.sum(axis=0) / seen.sum(axis=0)
    np.testing.assert_allclose(share, 0.4, atol=0.08)
    assert len(np.unique(dropped, axis=0)) == 2 ** len(NAMES)


def test_no_stream_is_dropped_at_rate_0(build_block: Callable[..., Any]) -> None:
    model, hp = build_block(FusionBlock(stream_dropout=0.0), *SHAPES)
    assert "fusion/stream_dropout" not in hp.values
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)


@pytest.mark.parametrize("kind", KINDS)
def test_the_h5_reloads_with_stock_layers(tmp_path: Path, kind: str) -> None:
    model = _named(FusionBlock(kind, units=6, stream_dropout=0.3))
    path = tmp_path / "fusion.h5"
    model.save(path, include_optimizer=False)
    check_model_file(path)
    again = keras.models.load_model(path, compile=False)
    np.testing.assert_allclose(again(_embeddings()), model(_embeddings()), atol=1e-6)


def test_attention_leans_on_the_informative_stream_and_a_reloaded_file_shows_it(
    tmp_path: Path,
) -> None:
    keras.utils.set_random_seed(0)
    model = _with_head(_named(FusionBlock("attention", units=8, stream_dropout=0.1)))
    rng = np.random.default_rng(0)
    for _ in range(100):
        labels = rng.integers(0, 2, 64)
        embeddings = [rng.normal(size=(64, *shape)) for shape in SHAPES]
        embeddings[1][:, 0] = 2 * labels - 1
        model.train_on_batch(embeddings, labels[:, None])
    model.save(tmp_path / "fusion.h5", include_optimizer=False)
    again = keras.models.load_model(tmp_path / "fusion.h5", compile=False)
    streams = fused_streams(again)
    weights = np.asarray(stream_weights(again)(embeddings))
    assert streams == list(NAMES)
    assert weights.shape == (64, 3)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert weights.mean(axis=0)[streams.index("noise_residual")] > 0.8


def test_reading_weights_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = _named(FusionBlock("attention", units=6))
    expected = np.asarray(model(_embeddings()))
    stream_weights(model)
    np.testing.assert_array_equal(model(_embeddings()), expected)
    model.save(tmp_path / "fusion.h5", include_optimizer=False)
    again = keras.models.load_model(tmp_path / "fusion.h5", compile=False)
    np.testing.assert_allclose(again(_embeddings()), expected, atol=1e-6)


def test_where_no_weights_are_the_error_says_why(build_block: Callable[..., Any]) -> None:
    gated = _named(FusionBlock("gated", units=6))
    assert fused_streams(gated) == list(NAMES)
    with pytest.raises(ValueError, match="only fusion by attention"):
        stream_weights(gated)
    single, _ = build_block(FusionBlock(), (3,))
    with pytest.raises(ValueError, match="it has a single stream"):
        fused_streams(single)


@pytest.mark.usefixtures("mixed_precision")
@pytest.mark.parametrize("kind", KINDS)
def test_it_trains_in_mixed_precision(kind: str) -> None:
    fusion = _named(FusionBlock(kind, units=6, stream_dropout=0.1))
    assert fusion.output.dtype == "bfloat16"
    model = _with_head(fusion)
    model.run_eagerly = True
    labels = np.arange(16)[:, None] % 2
    losses = [model.train_on_batch(_embeddings(16), labels) for _ in range(5)]
    assert losses[-1] < losses[0]
    if kind == "attention":
        weights = stream_weights(model)(_embeddings())
        assert weights.dtype == "float32"
        np.testing.assert_allclose(np.asarray(weights).sum(axis=1), 1, atol=1e-6)


def test_pinned_choices_are_not_searched(build_block: Callable[..., Any]) -> None:
    model, hp = build_block(FusionBlock("concatenation", units=7, stream_dropout=0.0), *SHAPES)
    assert hp.space == []
    assert model.output_shape == (None, 21)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="Received: 'bilinear'"):
        FusionBlock(kind="bilinear")


def test_fusion_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    block = FusionBlock("attention", units=7, stream_dropout=0.0, name="mix")
    again = come_back(block)
    assert again.get_config() == block.get_config()
    model, hp = build_block(again, *SHAPES)
    assert hp.space == []
    assert model.output_shape == (None, 7)
