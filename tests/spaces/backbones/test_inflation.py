"""Inflated networks see every frame as the 2-D network does."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from artifacts.models.trust import check_model_file
from spaces.backbones.inflation import inflatable, inflate
from spaces.backbones.pretrained import APPLICATIONS
from spaces.backbones.resolution_levels import resolution_levels

# The quickest of each kind of layers; the others are slow.
QUICK = (
    "efficientnet_lite0",
    "resnet50",
    "resnet50_v2",
    "vgg16",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "convnext_tiny",
    "xception",
)
# More or wider of the same: their layers are compared with those of their smallest sibling.
LARGER = {
    "resnet50": ("resnet101", "resnet152"),
    "resnet50_v2": ("resnet101_v2", "resnet152_v2"),
    "vgg16": ("vgg19",),
    "efficientnet_b0": tuple(f"efficientnet_b{size}" for size in range(1, 8)),
    "efficientnet_v2_b0": tuple(f"efficientnet_v2_{part}" for part in ("b1", "b2", "b3")),
    "efficientnet_v2_s": ("efficientnet_v2_m", "efficientnet_v2_l"),
    "densenet121": ("densenet169", "densenet201"),
    "convnext_tiny": tuple(f"convnext_{part}" for part in ("small", "base", "large", "xlarge")),
    "nasnet_mobile": ("nasnet_large",),
}
SEVERAL = ("efficientnet_lite0", "mobilenet_v3_small", "convnext_tiny", "xception")
SMALLEST = {name: small for small, names in LARGER.items() for name in names}
ALL = [
    pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow)
    for name in APPLICATIONS
    if name not in SMALLEST
]


def _image_network(name: str) -> keras.Model:
    """A network on its smallest frames, with weights that an error cannot hide behind."""
    application = APPLICATIONS[name]
    shape = (application.smallest, application.smallest, 3)
    keras.utils.set_random_seed(3)
    model = application.build(include_top=False, weights=None, input_shape=shape)
    _shuffle(model)
    _settle_norms(model, _pixels(4, *shape))
    return model


# Of those that several tests look at.
_kept = functools.cache(_image_network)


def _settle_norms(model: keras.Model, images: np.ndarray) -> None:
    """Give batch norms the statistics of these images: with others, what tells two apart dies.

    Channels that hardly vary among so few images are kept from blowing up rounding errors.
    """
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    model(images, training=True)
    for norm in norms:
        variance = np.asarray(norm.moving_variance)
        norm.moving_variance.assign(np.maximum(variance, 0.5 * variance.mean()))


def _shuffle(model: keras.Model) -> None:
    """Give norms and scales values, which are 0, 1 or next to nothing in an untrained network."""
    rng = np.random.default_rng(3)
    for layer in model._flatten_layers(include_self=False):
        kind = type(layer).__name__
        if kind in ("BatchNormalization", "LayerNormalization", "LayerScale"):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
        if kind == "Normalization" and layer.weights:
            layer.set_weights([rng.uniform(0.2, 0.5, 3), rng.uniform(0.2, 0.5, 3), np.zeros(())])
            layer.finalize_state()


def _pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


@pytest.mark.parametrize("name", ALL)
def test_an_inflated_network_sees_each_frame_as_the_original_does(name: str) -> None:
    flat = (_kept if name in SEVERAL else _image_network)(name)
    deep = inflate(flat, name="deep", frames=2)
    application = APPLICATIONS[name]
    clip = _pixels(1, 2, *flat.input_shape[1:])
    found, expected = np.asarray(deep(clip))[0], np.asarray(flat(clip[0]))
    assert found.shape == expected.shape
    assert np.abs(expected[0] - expected[1]).max() > 0.05 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert all(type(layer).__module__.startswith("keras.src.layers") for layer in deep.layers[1:])
    assert len(resolution_levels(deep)) == (4 if name.startswith("convnext") else 5)
    assert bool(inflatable(flat, 1)) == application.inflatable


# What a layer is, apart from its width and where it is, as its counterpart depends on it.
_SETTINGS = ("kernel_size", "pool_size", "padding", "strides", "dilation_rate", "use_bias", "axis")


@functools.cache
def _structure(name: str) -> tuple[set[tuple[Any, ...]], int, bool]:
    """Kinds of layers, number of stages, and whether the last of them can look over time."""
    shape = (APPLICATIONS[name].smallest,) * 2 + (3,)
    model = APPLICATIONS[name].build(include_top=False, weights=None, input_shape=shape)
    kinds = {
        (
            type(operation).__name__,
            getattr(operation, "groups", 1) > 1,
            *(str(getattr(operation, setting, None)) for setting in _SETTINGS),
        )
        for operation in model.operations
        if not isinstance(operation, keras.layers.ZeroPadding2D | keras.layers.Cropping2D)
    }
    return kinds, len(resolution_levels(model)), bool(inflatable(model, 1))


@pytest.fixture
def _of_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are zeros: to draw hundreds of millions takes long."""
    whole = keras.layers.Layer.add_weight

    def add_weight(layer: keras.Layer, *more: Any, **named: Any) -> Any:
        return whole(layer, *more, **named | {"initializer": "zeros"})

    monkeypatch.setattr(keras.layers.Layer, "add_weight", add_weight)


@pytest.mark.slow
@pytest.mark.usefixtures("_of_zeros")
@pytest.mark.parametrize(
    "name",
    [each if each == "vgg19" else pytest.param(each, marks=pytest.mark.slow) for each in SMALLEST],
)
def test_a_larger_network_has_the_layers_of_its_smallest_sibling(name: str) -> None:
    (kinds, count, over_time), (known, known_count, _) = map(_structure, (name, SMALLEST[name]))
    assert kinds <= known, kinds - known
    assert count == known_count
    assert over_time == APPLICATIONS[name].inflatable


def test_siblings_are_compared_with_what_is_checked_by_its_numbers() -> None:
    assert set(SMALLEST) < set(APPLICATIONS)
    assert not set(LARGER) & set(SMALLEST)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "convnext_tiny"])
def test_an_inflated_network_reloads_from_a_legacy_file_in_plain_keras(
    name: str, tmp_path: Path
) -> None:
    clip = keras.Input((2, 32, 32, 3))
    model = keras.Model(clip, inflate(_kept(name), name=name, frames=2)(clip))
    path = tmp_path / "model.h5"
    model.save(path)
    check_model_file(path)
    again = keras.models.load_model(path, compile=False)
    x = _pixels(1, 2, 32, 32, 3)
    np.testing.assert_allclose(again(x), model(x), rtol=1e-6)


def test_layer_names_do_not_depend_on_what_was_built_before() -> None:
    names = []
    for _ in range(2):
        flat = APPLICATIONS["mobilenet_v3_small"].build(
            include_top=False, weights=None, input_shape=(32, 32, 3)
        )
        names.append([layer.name for layer in inflate(flat, name="deep").layers])
    assert names[0] == names[1]
    assert "re_lu_1" in names[0]
    assert "expanded_conv_depthwise" in names[0]


@pytest.mark.parametrize("frames", [1, 4])
def test_an_inflated_network_takes_any_number_of_frames(frames: int) -> None:
    x = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, strides=2)(x)
    flat = keras.Model(x, keras.layers.DepthwiseConv2D(2)(y))
    deep = inflate(flat, name="deep")
    assert deep.name == "deep"
    clip = _pixels(2, frames, 8, 8, 3)
    found = np.asarray(deep(clip))
    assert found.shape == (2, frames, 2, 2, 4)
    np.testing.assert_allclose(found[1], np.asarray(flat(clip[1])), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenet_v3_small", "xception"])
def test_a_network_of_one_frame_is_that_of_many_without_the_slices(name: str) -> None:
    flat = _kept(name)
    one, two = (inflate(flat, name=name, frames=frames) for frames in (1, 2))
    assert not any(isinstance(layer, keras.layers.TimeDistributed) for layer in one.layers)
    two.set_weights(one.get_weights())
    picture = _pixels(1, 1, *flat.input_shape[1:])
    found, expected = one(picture), two(np.repeat(picture, 2, axis=1))
    # Kernels of other shapes round otherwise, which is seen where a feature is next to nothing.
    nothing = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected[:, :1], rtol=1e-4, atol=nothing)
    np.testing.assert_allclose(found[:, 0], flat(picture[:, 0]), rtol=1e-4, atol=nothing)
    assert [len(stage) > 0 for stage in resolution_levels(one)] == [
        len(stage) > 0 for stage in resolution_levels(two)
    ]


@pytest.mark.parametrize("axis", [3, -1])
@pytest.mark.parametrize("kind", ["BatchNormalization", "LayerNormalization"])
def test_a_norm_stays_on_the_channels_where_width_equals_channels(kind: str, axis: int) -> None:
    x = keras.Input((8, 8, 8))
    flat = keras.Model(x, getattr(keras.layers, kind)(axis=axis)(x))
    _shuffle(flat)
    clip = np.random.default_rng(0).normal(size=(1, 2, 8, 8, 8)).astype(np.float32)
    found = np.asarray(inflate(flat, name="deep")(clip))
    np.testing.assert_allclose(found[0], np.asarray(flat(clip[0])), atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.ZeroPadding2D(((1, 0), (0, 2))),
        keras.layers.Cropping2D(((1, 0), (0, 2))),
        keras.layers.MaxPooling2D(3, strides=2, padding="same"),
        keras.layers.AveragePooling2D((2, 4)),
        keras.layers.GlobalAveragePooling2D(keepdims=True),
        keras.layers.Conv2D(8, (3, 1), dilation_rate=2, use_bias=False),
        keras.layers.Conv2D(8, 3, groups=2, padding="same"),
        keras.layers.Conv2D(8, 3, groups=4, padding="same", strides=2),
        keras.layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2),
        keras.layers.SeparableConv2D(6, 3, padding="same"),
        keras.layers.Rescaling([1.0, 2.0, 3.0, 4.0], offset=1.0),
        keras.layers.Normalization(mean=[1, 2, 3, 4], variance=[4, 3, 2, 1]),
        keras.layers.Reshape((12, 6, 4)),
    ],
    ids=lambda layer: layer.name,
)
def test_a_layer_does_the_same_to_each_frame(layer: keras.Layer) -> None:
    x = keras.Input((9, 8, 4))
    flat = keras.Model(x, layer(x))
    clip = np.random.default_rng(0).normal(size=(1, 3, 9, 8, 4)).astype(np.float32)
    found = np.asarray(inflate(flat, name="deep", frames=3)(clip))
    np.testing.assert_allclose(found[0], np.asarray(flat(clip[0])), atol=1e-5)


def test_drop_connect_drops_frames_one_by_one() -> None:
    x = keras.Input((2, 2, 3))
    flat = keras.Model(x, keras.layers.Dropout(0.5, noise_shape=(None, 1, 1, 1))(x))
    deep = inflate(flat, name="deep")
    kept = np.asarray(deep(np.ones((8, 8, 2, 2, 3), np.float32), training=True)) > 0
    each = kept.reshape(8, 8, -1)
    assert (each.all(axis=-1) | ~each.any(axis=-1)).all()
    assert 0 < each.mean() < 1
    assert (each.any(axis=(1, 2)) & ~each.all(axis=(1, 2))).any()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (keras.layers.UpSampling2D(), r"layer up_sampling2d\w* of type UpSampling2D"),
        (keras.ops.abs, "operation absolute.* of type Absolute"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(layer: keras.Layer, message: str) -> None:
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, layer(x))
    with pytest.raises(ValueError, match=f"{message} has no time-preserving counterpart"):
        inflate(model, name="deep")


@pytest.fixture(scope="module")
def vgg16() -> keras.Model:
    keras.utils.set_random_seed(1)
    return _image_network("vgg16")


def test_stages_that_look_over_time_leave_a_still_clip_as_it_was(vgg16: keras.Model) -> None:
    still = np.repeat(_pixels(1, 1, 32, 32, 3), 9, axis=1)
    plain = np.asarray(inflate(vgg16, name="plain")(still))[0]
    over_time = np.asarray(inflate(vgg16, name="deep", inflated_stages=1)(still))[0]
    inner = slice(3, -3)
    np.testing.assert_allclose(over_time[inner], plain[inner], atol=1e-5 * np.abs(plain).max())
    assert np.abs(over_time[0] - plain[0]).max() > 0.01 * np.abs(plain).max()


def test_only_the_last_stages_look_over_time(vgg16: keras.Model) -> None:
    deep = inflate(vgg16, name="deep", inflated_stages=2)
    extents = {layer.name: layer.kernel_size[0] for layer in deep.layers if layer.weights}
    assert {name for name, extent in extents.items() if extent == 3} == {
        f"block{block}_conv{conv}" for block in (4, 5) for conv in (1, 2, 3)
    }
    assert set(extents.values()) == {1, 3}


def test_a_frame_is_seen_by_its_neighbours_where_stages_look_over_time(
    vgg16: keras.Model,
) -> None:
    clip = _pixels(1, 9, 32, 32, 3)
    other = clip.copy()
    other[:, 4] = 255 - other[:, 4]
    changed = {}
    for count in (0, 1):
        deep = inflate(vgg16, name="deep", inflated_stages=count)
        difference = np.abs(np.asarray(deep(clip)) - np.asarray(deep(other)))
        changed[count] = np.flatnonzero(difference.max(axis=(0, 2, 3, 4))).tolist()
    assert changed == {0: [4], 1: [1, 2, 3, 4, 5, 6, 7]}


def test_stages_without_a_convolution_to_inflate_are_refused() -> None:
    flat = APPLICATIONS["mobilenet"].build(include_top=False, weights=None, input_shape=(32, 32, 3))
    with pytest.raises(ValueError, match="deep has no convolution to inflate in its last 2 stages"):
        inflate(flat, name="deep", inflated_stages=2)
