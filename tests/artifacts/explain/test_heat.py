from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import pytest

from artifacts.explain.heat import Explainer, heat_maps
from artifacts.models.ensemble import merge_models
from artifacts.models.inference import probabilities
from spaces.detector import detector_space
from spaces.streams.gan import GanStreamBlock
from spaces.streams.micro_expression import MicroExpressionBlock

CLIP_SHAPE = (4, 32, 32, 4)
AUDIO_SHAPE = (4, 64, 40)
FLOW_SHAPE = (3, 16, 16, 3)

Clips = dict[str, npt.NDArray[Any]]


def detector(*streams: str, fusion: str = "concatenation", seed: int = 0, **blocks: Any) -> Any:
    """An untrained detector of some streams."""
    keras.utils.set_random_seed(seed)
    hp = keras_tuner.HyperParameters()
    hp.values |= {
        "detector/temporal/kind": "mean",
        "detector/spatial/backbone": "small_cnn",
        "detector/spatial/frame_stride": 1,
        "detector/fusion/kind": fusion,
    }
    shapes = {"audio": AUDIO_SHAPE} if "audio" in streams else {}
    shapes |= {"flow": FLOW_SHAPE} if "micro_expression" in streams else {}
    return detector_space(CLIP_SHAPE, shapes, streams, searched=False, **blocks).build(hp)


def linear(sign: float) -> keras.Model:
    """A detector to whom bright red places speak for a fake, or against it."""
    frames = keras.Input(CLIP_SHAPE, dtype="uint8", name="frames")
    x = keras.layers.Rescaling(1 / 255)(frames)
    red = keras.layers.Conv3D(1, 1, use_bias=False, activation="relu")
    x = keras.layers.AveragePooling3D((1, 4, 4))(red(x))
    red.set_weights([np.float32([1, 0, 0, 0]).reshape(1, 1, 1, 4, 1)])
    x = keras.layers.GlobalAveragePooling3D()(x)
    head = keras.layers.Dense(1, activation="sigmoid", name="fake_probability")
    model = keras.Model(frames, head(x))
    head.set_weights([np.float32([[1000 * sign]]), np.float32([0])])
    return model


@pytest.fixture(scope="module")
def clips() -> Clips:
    rng = np.random.default_rng(0)
    return {
        "frames": rng.integers(0, 256, (3, *CLIP_SHAPE), np.uint8),
        "audio": rng.normal(size=(3, *AUDIO_SHAPE)).astype(np.float16),
        "flow": rng.normal(size=(3, *FLOW_SHAPE)).astype(np.float16),
    }


@pytest.fixture(scope="module")
def marked() -> npt.NDArray[np.uint8]:
    """A black clip with a red square in its second frame, and one with none."""
    clips = np.zeros((2, *CLIP_SHAPE), np.uint8)
    clips[0, 1, 4:12, 16:28, 0] = 255
    return clips


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A discriminator of two convolutions, of which the second sees the first."""
    face = keras.Input((16, 16, 3))
    x = face
    for filters in (4, 8):
        x = keras.layers.LeakyReLU(0.2)(keras.layers.Conv2D(filters, 3, 2, padding="same")(x))
    x = keras.layers.Flatten()(x)
    path = tmp_path_factory.mktemp("gan") / "discriminator.keras"
    keras.Model(face, keras.layers.Dense(1)(x)).save(path)
    return path


def test_heat_lies_where_the_fake_is(marked: npt.NDArray[np.uint8]) -> None:
    heat = heat_maps(linear(1), {"frames": marked})
    assert heat.shape == (2, *CLIP_SHAPE[:3])
    assert heat.dtype == np.float32
    square = np.zeros(CLIP_SHAPE[:3], bool)
    square[1, 4:12, 16:28] = True
    np.testing.assert_array_equal(heat[0], square.astype(np.float32))


def test_where_nothing_speaks_for_a_fake_the_map_stays_zero(marked: npt.NDArray[np.uint8]) -> None:
    assert not heat_maps(linear(1), {"frames": marked})[1].any()
    assert not heat_maps(linear(-1), {"frames": marked}).any()
    evidence = Explainer(linear(-1)).evidence({"frames": marked})
    assert evidence[0].min() < 0
    assert evidence.max() == 0


def test_a_saturated_sigmoid_has_a_map(marked: npt.NDArray[np.uint8]) -> None:
    explainer = Explainer(linear(1))
    assert probabilities(linear(1), {"frames": marked})[0] == 1
    np.testing.assert_allclose(explainer.logits({"frames": marked}), [1000 * 96 / 4096, 0])
    assert explainer.heat_maps({"frames": marked})[0].max() == 1


def test_behind_a_mean_it_is_grad_cam(clips: Clips) -> None:
    model = detector("spatial")
    features = keras.Model(model.input, model.get_layer("spatial_pool").input)(clips["frames"])
    pooled = np.array(keras.ops.mean(features, axis=(1, 2, 3)))
    weights = []
    for channel in range(pooled.shape[-1]):  # of each channel, by what a little of it changes
        more = pooled + 1e-4 * (np.arange(pooled.shape[-1]) == channel)
        weights.append((_logit(model, more) - _logit(model, pooled)) / 1e-4)
    maps = np.einsum("ntijc,cn->ntij", np.array(features), np.array(weights))
    maps = np.array([[cv2.resize(frame, (32, 32)) for frame in clip] for clip in maps])
    maps = np.maximum(maps, 0)
    maps /= maps.max(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(heat_maps(model, clips), maps, atol=2e-3)


def _logit(model: keras.Model, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """What the dense layers of a detector of one stream make of an embedding."""
    for name in ("fusion_project_spatial", "fake_probability"):
        kernel, bias = model.get_layer(name).get_weights()
        x = np.maximum(x, 0) @ kernel.astype(np.float64) + bias
    return x[:, 0]


@pytest.mark.parametrize(
    "streams",
    [("spatial",), ("noise_residual",), ("micro_expression", "spatial"), ("gan", "spatial")],
    ids=" and ".join,
)
def test_what_all_places_add_is_the_logit(
    streams: tuple[str, ...], clips: Clips, judge: Path
) -> None:
    """An untrained detector has no biases, so that its logit is all gradient times feature."""
    model = detector(*streams, gan=GanStreamBlock(str(judge)) if "gan" in streams else None)
    explainer = Explainer(model)
    found = explainer.logits(clips)
    assert np.abs(found).min() > 1e-4
    np.testing.assert_allclose(explainer.evidence(clips).sum(axis=(1, 2, 3)), found, rtol=1e-2)


def test_probabilities_come_with_the_maps(clips: Clips) -> None:
    model = detector("spatial", "audio", fusion="attention")
    scores, heat = Explainer(model).scored(clips)
    np.testing.assert_allclose(scores, probabilities(model, clips), atol=1e-6)
    assert heat.shape == (3, *CLIP_SHAPE[:3])


def test_a_stream_that_sees_the_mouth_alone_has_no_heat_elsewhere(clips: Clips) -> None:
    block = MicroExpressionBlock(region="mouth", network="ststnet")
    evidence = Explainer(detector("micro_expression", micro_expression=block)).evidence(clips)
    rows, columns = slice(18, 29), slice(6, 26)  # 0.55 to 0.9 and 0.2 to 0.8 of 32, rounded
    assert np.abs(evidence[:, :, rows, columns]).max() > 0
    evidence[:, :, rows, columns] = 0
    assert not evidence.any()


def test_sound_has_no_place_in_the_picture(clips: Clips) -> None:
    assert not heat_maps(detector("audio"), clips).any()


def test_an_ensemble_shows_what_its_members_see(clips: Clips) -> None:
    first, second = detector("spatial", seed=1), detector("noise_residual", seed=2)
    maps = [Explainer(model).evidence(clips) for model in (first, second)]
    both = Explainer(merge_models({"a": first, "b": second}, [0.7, 0.3]))
    # Of the mean P of probabilities p by weights w: d logit P / d logit p = w p (1 - p) / P (1 - P)
    p = np.stack([probabilities(model, clips) for model in (first, second)])
    mean = np.average(p, axis=0, weights=[0.7, 0.3])
    slopes = np.array([[0.7], [0.3]]) * p * (1 - p) / (mean * (1 - mean))
    expected = np.einsum("mn,mntij->ntij", slopes, np.stack(maps))
    np.testing.assert_allclose(both.evidence(clips), expected, atol=1e-9, rtol=1e-3)


def test_many_clips_are_explained_as_few(clips: Clips) -> None:
    model = detector("spatial")
    many = {"frames": np.repeat(clips["frames"], 4, axis=0)}
    np.testing.assert_allclose(
        heat_maps(model, many), np.repeat(heat_maps(model, clips), 4, axis=0), atol=1e-5
    )


def test_of_no_clips_there_are_no_maps(clips: Clips) -> None:
    none = {"frames": clips["frames"][:0]}
    assert heat_maps(linear(1), none).shape == (0, *CLIP_SHAPE[:3])


def test_the_model_is_left_as_it_was(clips: Clips, tmp_path: Path) -> None:
    model = detector("spatial", "noise_residual")
    before = model.to_json()
    Explainer(model).heat_maps(clips)
    assert model.to_json() == before
    model.save(tmp_path / "model.h5")


@pytest.mark.parametrize(("output", "name"), [("linear", "frames"), ("sigmoid", "pictures")])
def test_what_is_no_detector_is_refused(output: str, name: str) -> None:
    inputs = keras.Input(CLIP_SHAPE, name=name)
    x = keras.layers.Flatten()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, activation=output)(x))
    with pytest.raises(ValueError, match=r"takes no frames|does not end in a dense layer"):
        heat_maps(model, {name: np.zeros((1, *CLIP_SHAPE))})
