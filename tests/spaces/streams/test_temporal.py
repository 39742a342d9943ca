"""The temporal stage turns a sequence of frame embeddings into one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import optuna
import pytest
from sklearn.metrics import roc_auc_score

from artifacts.models.trust import check_model_file
from search.studies.hyperparameters import OptunaHyperParameters
from spaces.streams.temporal import KINDS, TemporalBlock

SHAPE = (4, 6)
ORDERED = ("bilstm", "bigru", "transformer", "convolution")
# Trainings take long, so only the quickest is in the tests of every change.
TRAINED = [
    kind if kind == "convolution" else pytest.param(kind, marks=pytest.mark.slow)
    for kind in ORDERED
]
CHOICES = {
    "bilstm": {"recurrent_units", "recurrent_layers", "recurrent_output"},
    "bigru": {"recurrent_units", "recurrent_layers", "recurrent_output"},
    "transformer": {
        f"transformer_{choice}" for choice in ("width", "depth", "heads", "mlp", "dropout")
    },
    "convolution": {
        f"convolution_{choice}" for choice in ("layers", "filters", "kernel", "dropout")
    },
    "attention": set(),
    "mean": set(),
}
for ordered in ORDERED:
    CHOICES[ordered].add("change_dropout")
PINNED: dict[str, Any] = {
    "recurrent_units": 5,
    "recurrent_layers": 2,
    "recurrent_output": "attention",
    "transformer_width": 8,
    "transformer_depth": 2,
    "transformer_heads": 2,
    "transformer_mlp": 16,
    "transformer_dropout": 0.0,
    "convolution_layers": 2,
    "convolution_filters": 8,
    "convolution_kernel": 3,
    "convolution_dropout": 0.0,
    "change_dropout": 0.0,
}
FEATURES = {
    "bilstm": 2 * 6 + 10,
    "bigru": 2 * 6 + 10,
    "transformer": 2 * 6 + 8,
    "convolution": 2 * 6 + 8,
    "attention": 6,
    "mean": 6,
}


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(before)


def _sequences(clips: int = 2, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(clips, *SHAPE)).astype(np.float32)


def _with_head(stage: keras.Model) -> keras.Model:
    y = keras.layers.Dense(1, activation="sigmoid", dtype="float32")(stage.output)
    model = keras.Model(stage.input, y)
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_asks_for_its_own_choices_alone(build_block: Callable[..., Any], kind: str) -> None:
    model, hp = build_block(TemporalBlock(), SHAPE, values={"temporal/kind": kind})
    assert set(hp.values) == {f"temporal/{choice}" for choice in CHOICES[kind] | {"kind"}}
    for entry in hp.space[1:]:
        (condition,) = entry.conditions
        assert condition.name == "temporal/kind"
        assert kind in condition.values
    found = np.asarray(model(_sequences()))
    assert found.shape == (2, model.output_shape[1])
    assert np.isfinite(found).all()
    assert found.std() > 0


def test_the_published_figures_are_tried_first(build_block: Callable[..., Any]) -> None:
    _, recurrent = build_block(TemporalBlock(), SHAPE)
    assert recurrent.values == {
        "temporal/kind": "bilstm",
        "temporal/recurrent_units": 256,
        "temporal/recurrent_layers": 1,
        "temporal/recurrent_output": "attention",
        "temporal/change_dropout": 0.5,
    }
    _, ftcn = build_block(TemporalBlock("transformer"), SHAPE)
    assert ftcn.values["temporal/transformer_depth"] == 1
    assert ftcn.values["temporal/transformer_heads"] == 16
    assert ftcn.values["temporal/transformer_mlp"] == 2048
    assert ftcn.values["temporal/transformer_dropout"] == 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_pinned_choices_are_not_searched(build_block: Callable[..., Any], kind: str) -> None:
    model, hp = build_block(TemporalBlock(kind, **PINNED), SHAPE)
    assert hp.space == []
    assert model.output_shape == (None, FEATURES[kind])
    assert not any("dropout" in layer.name for layer in model.layers)


@pytest.mark.parametrize(("kind", "count"), [("transformer", 4), ("convolution", 4)])
def test_dropout_is_where_it_is_asked_for(
    build_block: Callable[..., Any], kind: str, count: int
) -> None:
    block = TemporalBlock(kind, **PINNED | {f"{kind}_dropout": 0.3})
    model, _ = build_block(block, SHAPE)
    rates = [layer.rate for layer in model.layers if layer.name.endswith("_dropout")]
    assert rates == [0.3] * count


def test_the_search_may_be_narrowed_to_some_kinds(build_block: Callable[..., Any]) -> None:
    block = TemporalBlock(kinds=("mean", "transformer"), **PINNED)
    model, hp = build_block(block, SHAPE)
    (entry,) = hp.space
    assert entry.values == ["transformer", "mean"]
    assert model.output_shape == (None, 2 * 6 + 8)


def test_a_single_kind_is_not_asked_for(build_block: Callable[..., Any]) -> None:
    model, hp = build_block(TemporalBlock(kinds=("convolution",)), SHAPE)
    assert set(hp.values) == {f"temporal/{choice}" for choice in CHOICES["convolution"]}
    assert model.output_shape == (None, 2 * 6 + 64)


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_a_single_frame_is_its_own_embedding_and_nothing_is_asked(
    build_block: Callable[..., Any], kind: str | None
) -> None:
    model, hp = build_block(TemporalBlock(kind), (1, 6))
    assert hp.space == []
    x = _sequences()[:, :1]
    np.testing.assert_allclose(model(x), x[:, 0], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_two_frames_are_enough(build_block: Callable[..., Any], kind: str) -> None:
    model, _ = build_block(TemporalBlock(kind), (2, 6))
    assert np.isfinite(np.asarray(model(_sequences()[:, :2]))).all()


@pytest.mark.parametrize("output", ["attention", "last"])
def test_the_last_states_or_all_of_them_are_kept(
    build_block: Callable[..., Any], output: str
) -> None:
    block = TemporalBlock("bigru", **PINNED | {"recurrent_output": output})
    model, _ = build_block(block, SHAPE)
    names = [layer.name for layer in model.layers]
    assert model.output_shape == (None, 2 * 6 + 10)
    assert ("temporal_attention_weights" in names) is (output == "attention")
    assert model.get_layer("temporal_recurrent1").return_sequences
    assert model.get_layer("temporal_recurrent2").return_sequences is (output == "attention")


@pytest.mark.parametrize(("features", "projected"), [(9, True), (8, False)])
def test_features_wider_than_the_states_are_projected_before_a_recurrence(
    build_block: Callable[..., Any], features: int, projected: bool
) -> None:
    block = TemporalBlock("bilstm", recurrent_units=8, recurrent_layers=1, recurrent_output="last")
    model, _ = build_block(block, (4, features))
    assert model.get_layer("temporal_recurrent1").input.shape[-1] == 8
    assert any(layer.name == "temporal_project" for layer in model.layers) == projected


def test_a_head_has_its_share_of_the_width(build_block: Callable[..., Any]) -> None:
    block = TemporalBlock("transformer", transformer_width=64, transformer_heads=16)
    attention = build_block(block, SHAPE)[0].get_layer("temporal_layer1_attention")
    assert (attention.num_heads, attention.key_dim) == (16, 4)


def test_each_residual_layer_is_dilated_twice_as_far(build_block: Callable[..., Any]) -> None:
    block = TemporalBlock("convolution", **PINNED | {"convolution_layers": 3})
    model, _ = build_block(block, (16, 6))
    for layer, dilation in enumerate((1, 2, 4), start=1):
        conv = model.get_layer(f"temporal_layer{layer}_second_conv")
        assert conv.dilation_rate == (dilation,)


@pytest.mark.parametrize("kind", ["attention", "mean"])
def test_the_controls_know_no_order(build_block: Callable[..., Any], kind: str) -> None:
    model, _ = build_block(TemporalBlock(kind), SHAPE)
    x = _sequences()
    np.testing.assert_allclose(model(x[:, [2, 0, 3, 1]]), model(x), atol=1e-6)
    assert np.abs(np.asarray(model(x[:1])) - np.asarray(model(x[1:]))).max() > 1e-3


@pytest.mark.parametrize("kind", TRAINED)
def test_a_kind_that_knows_order_learns_to_tell_rising_from_falling(
    build_block: Callable[..., Any], kind: str
) -> None:
    keras.utils.set_random_seed(0)
    shallow = PINNED | {"recurrent_layers": 1, "transformer_depth": 1}
    model = _with_head(build_block(TemporalBlock(kind, **shallow), SHAPE)[0])
    labels = np.arange(64) % 2
    slope = np.linspace(-1, 1, SHAPE[0])[:, None] * np.where(labels, 1, -1)[:, None, None]
    for seed in range(40):
        model.train_on_batch(slope + _sequences(64, seed) / 2, labels[:, None])
    scores = np.asarray(model(slope + _sequences(64, seed=99) / 2))[:, 0]
    assert ((scores > 0.5) == labels).mean() > 0.9


@pytest.mark.parametrize("kind", ORDERED)
def test_the_mean_goes_past_kinds_that_know_order_and_changes_nothing_else(
    build_block: Callable[..., Any], kind: str
) -> None:
    model, _ = build_block(TemporalBlock(kind, **PINNED), SHAPE)
    x = _sequences()
    level = np.float32([100, -100, 3, 0, 0, 50])
    mean, changes = np.split(np.asarray(model(x)), [SHAPE[1]], axis=1)
    moved_mean, moved_changes = np.split(np.asarray(model(x + level)), [SHAPE[1]], axis=1)
    scale = 1 / np.sqrt(1 + 1e-3)  # of a batch norm that has seen nothing
    np.testing.assert_allclose(mean, x.mean(axis=1) * scale, atol=1e-5)
    np.testing.assert_allclose(moved_mean, mean + level * scale, atol=1e-4)
    np.testing.assert_allclose(moved_changes, changes, atol=1e-2)
    assert np.abs(changes[0] - changes[1]).max() > 1e-2


def test_a_feature_is_unsteady_by_the_energy_of_its_changes(
    build_block: Callable[..., Any],
) -> None:
    stage, _ = build_block(TemporalBlock("bigru", **PINNED), SHAPE)
    model = keras.Model(stage.inputs, stage.get_layer("temporal_unsteadiness").output)
    jumps = np.float32([0, 0.1, 0.5, 1, 2, 10])
    x = 7 + jumps * np.float32([0, 1, 0, 1])[:, None]
    np.testing.assert_allclose(model(x[None])[0], jumps**2 / (1 + jumps**2), atol=1e-4)


@pytest.mark.parametrize("kind", ORDERED)
def test_what_a_kind_finds_in_a_clip_is_dropped_as_a_whole(
    build_block: Callable[..., Any], kind: str
) -> None:
    keras.utils.set_random_seed(0)
    model, _ = build_block(TemporalBlock(kind, **PINNED | {"change_dropout": 0.5}), SHAPE)
    summary = np.asarray(model(_sequences(40), training=True))[:, 2 * SHAPE[1] :]
    dropped = ~summary.any(axis=1)
    assert 8 < dropped.sum() < 32
    assert (np.abs(summary[~dropped]).mean(axis=1) > 1e-3).all()


@pytest.mark.parametrize("kind", TRAINED)
def test_a_kind_that_knows_order_sees_changes_much_smaller_than_what_tells_clips_apart(
    build_block: Callable[..., Any], kind: str
) -> None:
    keras.utils.set_random_seed(0)
    shallow = PINNED | {"recurrent_layers": 1, "transformer_depth": 1}
    model = _with_head(build_block(TemporalBlock(kind, **shallow), SHAPE)[0])
    labels = np.arange(64) % 2
    slope = np.linspace(-1, 1, SHAPE[0])[:, None] * np.where(labels, 1, -1)[:, None, None]

    def features(seed: int) -> npt.NDArray[np.float32]:
        level = 1 + _sequences(64, seed + 1000)[:, :1]
        return level + (slope + _sequences(64, seed) / 2) / 50

    for seed in range(60):
        model.train_on_batch(features(seed), labels[:, None])
    assert roc_auc_score(labels, np.asarray(model(features(99)))[:, 0]) > 0.9


@pytest.mark.usefixtures("mixed_precision")
@pytest.mark.parametrize("kind", KINDS)
def test_it_trains_in_mixed_precision(build_block: Callable[..., Any], kind: str) -> None:
    stage, _ = build_block(TemporalBlock(kind, **PINNED), SHAPE)
    assert stage.output.dtype == "bfloat16"
    for layer in stage.layers:
        if isinstance(layer, keras.layers.MultiHeadAttention | keras.layers.Softmax):
            assert layer.compute_dtype == "float32"
        if isinstance(layer, keras.layers.Subtract | keras.layers.Multiply):
            assert layer.compute_dtype == "float32"
    model = _with_head(stage)
    model.run_eagerly = True
    labels = np.arange(8)[:, None] % 2
    losses = [model.train_on_batch(_sequences(8), labels) for _ in range(5)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_h5_reloads_with_stock_layers(
    build_block: Callable[..., Any], tmp_path: Path, kind: str
) -> None:
    dropping = {"transformer_dropout": 0.1, "convolution_dropout": 0.1, "change_dropout": 0.5}
    model, _ = build_block(TemporalBlock(kind, **PINNED | dropping), SHAPE)
    path = tmp_path / "temporal.h5"
    model.save(path, include_optimizer=False)
    check_model_file(path)
    again = keras.models.load_model(path, compile=False)
    np.testing.assert_allclose(again(_sequences()), model(_sequences()), atol=1e-6)


def test_a_study_can_search_every_kind_and_a_name_always_means_one_range() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    ranges: dict[str, Any] = {}
    kinds = set()
    for _ in range(24):
        trial = study.ask()
        TemporalBlock().build(OptunaHyperParameters(trial), keras.Input(SHAPE))
        kind = trial.params["temporal/kind"]
        kinds.add(kind)
        assert set(trial.params) == {f"temporal/{c}" for c in CHOICES[kind] | {"kind"}}
        for name, distribution in trial.distributions.items():
            assert ranges.setdefault(name, distribution) == distribution
        study.tell(trial, 0.5)
    assert kinds == set(KINDS)


@pytest.mark.parametrize(
    ("pins", "refused"),
    [
        ({"kind": "lstm"}, "kind must be of .*Received: 'lstm'"),
        ({"kinds": ()}, r"kinds must be of .*Received: \(\)"),
        ({"kinds": ("mean", "lstm")}, "kinds must be of .*Received: .*'lstm'"),
        ({"recurrent_output": "first"}, "recurrent_output must be of .*Received: 'first'"),
    ],
)
def test_what_is_unknown_is_refused(pins: dict[str, Any], refused: str) -> None:
    with pytest.raises(ValueError, match=refused):
        TemporalBlock(**pins)


def test_the_stage_comes_back_from_its_config(
    build_block: Callable[..., Any], come_back: Callable[[Any], Any]
) -> None:
    block = TemporalBlock(kinds=("convolution",), **PINNED, name="order")
    again = come_back(block)
    assert again.get_config() == block.get_config()
    model, hp = build_block(again, SHAPE)
    assert hp.space == []
    assert model.output_shape == (None, 2 * 6 + 8)
