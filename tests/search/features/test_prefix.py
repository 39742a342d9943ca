from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import layers

from search.features import prefix

SHAPE = (4, 32, 32, 4)


def network(name: str = "network", dropout: float = 0.0, own: str = "") -> keras.Model:
    """A small backbone of two stages, the second of which has a shortcut; statistics drawn."""
    clip = keras.Input((None, *SHAPE[1:]))
    x = layers.Conv3D(16, (1, 3, 3), (1, 2, 2), padding="same", name=f"{own}conv1")(clip)
    x = layers.Conv3D(16, (1, 3, 3), padding="same", name=f"{own}conv2")(x)
    x = layers.BatchNormalization(name=f"{own}norm1")(x)
    first = layers.ReLU(name=f"{own}stage1")(x)
    x = layers.Dropout(dropout, name=f"{own}dropout")(first)
    x = layers.Conv3D(16, (1, 3, 3), padding="same", name=f"{own}conv3")(x)
    x = layers.BatchNormalization(name=f"{own}norm2")(x)
    x = layers.Add(name=f"{own}add")([x, first])
    x = layers.ReLU(name=f"{own}stage2")(x)
    model = keras.Model(clip, x, name=name)
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if "moving" in weight.path or "gamma" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def detector(backbone: keras.Model, *, trained: tuple[str, ...] | bool = False) -> keras.Model:
    """Uint8 frames through a backbone to a head; which of the backbone's layers train, by name."""
    for layer in backbone.layers:
        layer.trainable = trained if isinstance(trained, bool) else layer.name in trained
    frames = keras.Input(SHAPE, dtype="uint8", name="frames")
    x = layers.Rescaling(1 / 255, dtype="float32", name="unit")(frames)
    x = layers.GlobalAveragePooling3D(name="pool")(backbone(x))
    return keras.Model(frames, layers.Dense(1, activation="sigmoid", name="head")(x))


@pytest.fixture(autouse=True)
def same_weights() -> None:
    """Every test starts from the same state of Keras."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def frames() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (6, *SHAPE), np.uint8)


def where(model: keras.Model) -> list[str]:
    """Names of the layers behind which a model is cut."""
    return [
        tensor._keras_history.operation.name for tensor in prefix.find_cuts(prefix.flatten(model))
    ]


def both_sides(model: keras.Model, inputs: list[npt.NDArray]) -> npt.NDArray:
    """What a model answers when it is cut and both sides are run one after the other."""
    flat = prefix.flatten(model)
    given = {tensor.name: array for tensor, array in zip(model.inputs, inputs, strict=True)}
    tensors = prefix.find_cuts(flat)
    names = [
        tensor.name if prefix.is_input(tensor) else prefix.digest(tensor) for tensor in tensors
    ]
    outputs = {}
    for name, tensor in zip(names, tensors, strict=True):
        if prefix.is_input(tensor):
            outputs[name] = given[name]
        else:
            above = [given[one.name] for one in prefix.inputs_of(tensor)]
            outputs[name] = prefix.model_before(tensor).predict(above, batch_size=3, verbose=0)
    behind = prefix.model_behind(flat, tensors, names)
    return behind.predict(list(outputs.values()), batch_size=3, verbose=0)


@pytest.mark.parametrize(
    ("trained", "behind"),
    [
        (False, ["pool"]),
        (("norm2",), ["stage1", "conv3"]),
        (("conv3", "norm2"), ["stage1"]),
        (("norm1",), ["conv2"]),
        (True, ["frames"]),
    ],
)
def test_the_cut_is_where_the_backbone_begins_to_train_and_both_sides_agree_to_the_last_bit(
    trained: tuple[str, ...] | bool, behind: list[str], frames: npt.NDArray[np.uint8]
) -> None:
    model = detector(network(), trained=trained)
    assert where(model) == behind
    whole = model.predict(frames, batch_size=3, verbose=0)
    np.testing.assert_array_equal(both_sides(model, [frames]), whole)


def test_the_whole_model_saves_and_reloads_after_it_was_cut(
    tmp_path: Path, frames: npt.NDArray[np.uint8]
) -> None:
    model = detector(network(), trained=("conv3", "norm2"))
    config = model.get_config()
    both_sides(model, [frames])
    assert model.get_config() == config
    wanted = model.predict(frames, batch_size=3, verbose=0)
    for ending in ("keras", "h5"):
        model.save(tmp_path / f"model.{ending}")
        loaded = keras.models.load_model(tmp_path / f"model.{ending}", compile=False)
        np.testing.assert_array_equal(loaded.predict(frames, batch_size=3, verbose=0), wanted)


def test_training_behind_the_cut_trains_the_whole_and_leaves_the_frozen_part(
    frames: npt.NDArray[np.uint8],
) -> None:
    model = detector(network(), trained=("conv3", "norm2"))
    before = {layer.name: layer.get_weights() for layer in model.get_layer("network").layers}
    answers = model.predict(frames, batch_size=3, verbose=0)
    flat = prefix.flatten(model)
    (tensor,) = prefix.find_cuts(flat)
    suffix = prefix.model_behind(flat, [tensor], ["stage1"])
    features = prefix.model_before(tensor).predict(frames, batch_size=3, verbose=0)
    suffix.compile("adam", "binary_crossentropy")
    suffix.fit(features, np.arange(6)[:, None] % 2, epochs=2, verbose=0)
    after = model.predict(frames, batch_size=3, verbose=0)
    assert (after != answers).all()
    np.testing.assert_array_equal(suffix.predict(features, batch_size=3, verbose=0), after)
    for layer in model.get_layer("network").layers:
        for old, new in zip(before[layer.name], layer.get_weights(), strict=True):
            assert (old != new).any() == (layer.name in ("conv3", "norm2")), layer.name


@pytest.mark.parametrize(("rate", "behind"), [(0.0, "pool"), (0.3, "stage1")])
def test_a_random_layer_in_the_backbone_ends_the_prefix(rate: float, behind: str) -> None:
    assert where(detector(network(dropout=rate))) == [behind]


norm = layers.BatchNormalization


def test_padding_and_copies_are_left_behind_the_cut() -> None:
    clip = keras.Input(SHAPE, dtype="uint8", name="frames")
    x = layers.Rescaling(1 / 255, dtype="float32")(clip)
    x = layers.Conv3D(8, (1, 8, 8), (1, 4, 4), trainable=False, name="frozen")(x)
    padded = layers.ZeroPadding3D((0, 1, 1))(x)
    ways = [layers.Conv3D(2, (1, 3, 3))(padded), layers.Conv3D(2, (1, 3, 3))(layers.ReLU()(padded))]
    model = keras.Model(clip, layers.GlobalAveragePooling3D()(layers.Add()(ways)))
    assert where(model) == ["frozen"]


def test_ways_to_go_on_from_the_same_small_features_share_the_cut() -> None:
    def model(*ways: str) -> keras.Model:
        clip = keras.Input(SHAPE, dtype="uint8", name="frames")
        backbone = network()
        backbone.trainable = False
        x = backbone(layers.Rescaling(1 / 255, dtype="float32")(clip))
        x = layers.AveragePooling3D((1, 16, 16), name="pool")(x)
        sequence = layers.Reshape((4, 16), name="sequence")(x)
        change = layers.Conv1D(16, 2, trainable=False, name="change")(sequence)
        made = {
            "mean": layers.GlobalAveragePooling1D()(sequence),
            "change": layers.Flatten()(change),
            "recurrent": layers.LSTM(3)(sequence),
        }
        joined = [layers.Dense(2)(made[way]) for way in ways]
        return keras.Model(clip, layers.Concatenate()([*joined, layers.Dense(2)(made[ways[0]])]))

    for ways in (("mean",), ("recurrent",), ("mean", "change"), ("change", "recurrent")):
        keras.utils.clear_session()
        assert where(model(*ways)) == ["pool"], ways


def test_what_is_cheaply_made_of_a_cut_that_is_found_later_is_no_cut_of_its_own(
    frames: npt.NDArray[np.uint8],
) -> None:
    backbone = network()
    backbone.trainable = False
    given = keras.Input(SHAPE, dtype="uint8", name="frames")
    x = backbone(layers.Rescaling(1 / 255, dtype="float32", name="unit")(given))
    means = layers.AveragePooling3D((1, 16, 16), name="pool")(x)
    later = layers.Cropping3D(((1, 0), (0, 0), (0, 0)), name="later")(means)
    before = layers.Cropping3D(((0, 1), (0, 0), (0, 0)), name="before")(means)
    change = layers.Subtract(name="change")([later, before])
    # Of two ways of different length the longer is looked at first.
    change = layers.Dense(8, name="second")(layers.Dense(8, name="first")(change))
    parts = [
        layers.GlobalAveragePooling3D(name=f"all{n}")(y) for n, y in enumerate((change, means))
    ]
    head = layers.Dense(1, activation="sigmoid", name="head")
    model = keras.Model(given, head(layers.Concatenate(name="join")(parts)))
    assert where(model) == ["pool"]
    assert np.array_equal(both_sides(model, [frames]), model.predict(frames, 3, verbose=0))


def test_a_shape_that_a_layer_does_not_know_is_found() -> None:
    inside = keras.Input((None, 32, 32, 3))
    x = layers.Conv3D(16, (1, 8, 8), (1, 4, 4), name="wide")(inside)
    x = layers.Conv3D(8, (1, 3, 3), padding="same", name="narrow")(x)
    scale = layers.EinsumDense("bthwc,c->bthwc", (None, None, None, 8), name="scale")
    inner = keras.Model(inside, scale(x), name="inner")
    inner.trainable = False
    clip = keras.Input((4, 32, 32, 3))
    x = layers.Conv3D(2, 1)(inner(clip))
    (tensor,) = prefix.find_cuts(
        prefix.flatten(keras.Model(clip, layers.GlobalAveragePooling3D()(x)))
    )
    assert tensor.shape == (None, 4, 7, 7, 8)


def frozen(layer: keras.Layer) -> keras.Layer:
    layer.trainable = False
    return layer


@pytest.mark.parametrize(
    ("layer", "fixed"),
    [
        (lambda: layers.TimeDistributed(layers.Dropout(0.2)), False),
        (lambda: layers.TimeDistributed(layers.Dropout(0.0)), True),
        (lambda: layers.TimeDistributed(norm(scale=False, center=False)), False),
        (lambda: frozen(layers.TimeDistributed(norm())), True),
        (lambda: layers.TimeDistributed(layers.Dense(3)), False),
        (lambda: frozen(layers.TimeDistributed(layers.Dense(3))), True),
        (lambda: frozen(layers.Bidirectional(layers.LSTM(3))), True),
        (lambda: frozen(layers.Bidirectional(layers.LSTM(3, recurrent_dropout=0.1))), False),
        (lambda: frozen(layers.GRU(3, dropout=0.1)), False),
        (lambda: layers.GaussianNoise(0.1), False),
        (lambda: layers.GaussianNoise(0.0), True),
        (lambda: layers.SpatialDropout1D(0.1), False),
        (lambda: frozen(layers.SpectralNormalization(layers.Dense(3))), False),
        (lambda: layers.Masking(), False),
        (lambda: layers.LayerNormalization(), False),
        (lambda: layers.GlobalAveragePooling1D(), True),
    ],
)
def test_what_may_change_in_training_is_seen_inside_wrappers_too(layer, fixed: bool) -> None:
    made = layer()
    made(keras.Input((5, 4)))
    assert prefix.is_fixed(made) is fixed


def test_frozen_attention_is_fixed_unless_it_drops() -> None:
    for dropout, fixed in ((0.0, True), (0.1, False)):
        layer = frozen(layers.MultiHeadAttention(2, 4, dropout=dropout))
        x = keras.Input((5, 4))
        layer(x, x)
        assert prefix.is_fixed(layer) is fixed


def test_a_nested_model_that_is_told_how_to_run_is_left_whole(
    frames: npt.NDArray[np.uint8],
) -> None:
    inner = network()
    inner.trainable = False
    clip = keras.Input(SHAPE, dtype="uint8", name="frames")
    x = inner(layers.Rescaling(1 / 255)(clip), training=False)
    x = layers.GlobalAveragePooling3D(name="pool")(x)
    model = keras.Model(clip, layers.Dense(1)(x))
    assert "network" in [layer.name for layer in prefix.flatten(model).layers]
    assert where(model) == ["pool"]
    np.testing.assert_array_equal(
        both_sides(model, [frames]), model.predict(frames, batch_size=3, verbose=0)
    )


@pytest.mark.parametrize("own", ["", "second_"])
def test_two_backbones_are_cut_also_where_their_layers_have_the_same_names(
    own: str, frames: npt.NDArray[np.uint8]
) -> None:
    first, second = network("first"), network("second", own=own)
    first.trainable = second.trainable = False
    clip = keras.Input(SHAPE, dtype="uint8", name="frames")
    x = layers.Rescaling(1 / 255)(clip)
    pooled = [
        layers.GlobalAveragePooling3D(name=f"{inner.name}_pool")(inner(x))
        for inner in (first, second)
    ]
    model = keras.Model(clip, layers.Dense(1)(layers.Concatenate()(pooled)))
    assert where(model) == ["concatenate"]
    np.testing.assert_array_equal(
        both_sides(model, [frames]), model.predict(frames, batch_size=3, verbose=0)
    )


def test_layers_and_models_called_twice_are_cut_at_the_right_call() -> None:
    inner = keras.Sequential([layers.Dense(64, name="a"), layers.Dense(2, name="b")], name="twin")
    sides = [keras.Input((200,), name=name) for name in ("left", "right")]
    answers = [inner(side) for side in sides]
    inner.trainable = False
    x = layers.Concatenate()([layers.Dense(3)(answers[0]), layers.Dense(3)(answers[1])])
    model = keras.Model(sides, layers.Dense(1)(x))
    assert where(model) == ["b", "b"]
    given = [np.random.default_rng(n).normal(size=(6, 200)).astype(np.float32) for n in (0, 1)]
    whole = model.predict(given, batch_size=3, verbose=0)
    np.testing.assert_array_equal(both_sides(model, given), whole)


def test_inputs_that_are_not_used_are_left_out_and_a_cut_may_hang_on_several() -> None:
    audio = keras.Input((4, 64, 40), dtype="float16", name="audio")
    flow = keras.Input((3, 16, 16, 3), dtype="float16", name="flow")
    unused = keras.Input(SHAPE, dtype="uint8", name="frames")
    parts = [layers.Flatten()(layers.Rescaling(2.0)(part)) for part in (flow, audio)]
    x = layers.Dense(5, trainable=False, name="mixed")(layers.Concatenate()(parts))
    model = keras.Model([unused, flow, audio], layers.Dense(1)(x))
    flat = prefix.flatten(model)
    assert [tensor.name for tensor in flat.inputs] == ["flow", "audio"]
    (tensor,) = prefix.find_cuts(flat)
    assert [above.name for above in prefix.inputs_of(tensor)] == ["flow", "audio"]
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(6, *one.shape[1:])).astype(one.dtype) for one in model.inputs]
    whole = model.predict(given, batch_size=3, verbose=0)
    np.testing.assert_array_equal(both_sides(model, given), whole)


def test_mixed_precision_agrees_to_the_last_bit(frames: npt.NDArray[np.uint8]) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = detector(network(), trained=("conv3", "norm2"))
        (tensor,) = prefix.find_cuts(prefix.flatten(model))
        assert tensor.dtype == "bfloat16"
        whole = model.predict(frames, batch_size=3, verbose=0)
        np.testing.assert_array_equal(both_sides(model, [frames]), whole)
    finally:
        keras.config.set_dtype_policy(before)


def digest_of(make) -> str:
    """Digest of the output of a frozen graph on two inputs of eight numbers."""
    keras.utils.set_random_seed(3)
    x, y = keras.Input((8,), name="x"), keras.Input((8,), name="y")
    flat = prefix.flatten(keras.Model([x, y], make(x, y)))
    return prefix.digest(flat.outputs[0])


def dense(name: str, seed: int = 0, **options) -> keras.Layer:
    return layers.Dense(
        8, kernel_initializer=keras.initializers.GlorotUniform(seed), name=name, **options
    )


def test_a_digest_does_not_depend_on_names_nesting_or_what_trains() -> None:
    def nested(x, y):
        inside = keras.Input((8,))
        inner = keras.Model(inside, dense("c")(dense("d", 1)(inside)))
        inner.trainable = False
        return layers.Subtract(name="e")([inner(x), y])

    plain = digest_of(lambda x, y: layers.Subtract()([dense("a")(dense("b", 1)(x)), y]))
    assert digest_of(nested) == plain


@pytest.mark.parametrize(
    "other",
    [
        lambda x, y: layers.Subtract()([y, dense("a")(dense("b", 1)(x))]),
        lambda x, y: layers.Subtract()([dense("b", 1)(dense("a")(x)), y]),
        lambda x, y: layers.Subtract()([dense("a")(dense("b", 1)(y)), x]),
        lambda x, y: layers.Subtract()([dense("a")(dense("b", 2)(x)), y]),
        lambda x, y: layers.Subtract()([dense("a", activation="relu")(dense("b", 1)(x)), y]),
        lambda x, y: layers.Subtract()([dense("a", dtype="bfloat16")(dense("b", 1)(x)), y]),
        lambda x, y: layers.Add()([dense("a")(dense("b", 1)(x)), y]),
    ],
    ids=["swapped", "rewired", "other input", "weights", "settings", "dtype", "layer"],
)
def test_a_digest_tells_wiring_weights_settings_and_dtypes_apart(other) -> None:
    plain = digest_of(lambda x, y: layers.Subtract()([dense("a")(dense("b", 1)(x)), y]))
    assert digest_of(other) != plain


def test_a_digest_is_the_same_for_equal_tensors_of_one_model() -> None:
    x = keras.Input((8,), name="x")
    ways = [layers.Dense(3)(dense(name)(x)) for name in ("a", "b")]
    model = keras.Model(x, layers.Add()(ways))
    for layer in model.layers:
        layer.trainable = layer.name not in ("a", "b")
    flat = prefix.flatten(model)
    first, second = (flat.get_layer(name).output for name in ("a", "b"))
    assert prefix.digest(first) == prefix.digest(second)
