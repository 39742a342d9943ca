from __future__ import annotations

from typing import Any

import keras
import keras_tuner
import numpy as np
import numpy.typing as npt
import pytest

from artifacts.explain.heat import stream_weights
from artifacts.explain.streams import members, stream_names
from artifacts.models.ensemble import merge_models
from spaces.detector import detector_space

CLIP_SHAPE = (4, 32, 32, 4)
BOTH = ("spatial", "noise_residual")


def detector(*streams: str, fusion: str = "attention", seed: int = 0) -> Any:
    """An untrained detector of some streams, whose head has a bias of 1."""
    keras.utils.set_random_seed(seed)
    hp = keras_tuner.HyperParameters()
    hp.values |= {
        "detector/temporal/kind": "mean",
        "detector/spatial/backbone": "small_cnn",
        "detector/fusion/kind": fusion,
    }
    model = detector_space(CLIP_SHAPE, {}, streams, searched=False).build(hp)
    kernel, _ = model.get_layer("fake_probability").get_weights()
    model.get_layer("fake_probability").set_weights([kernel, np.float32([1])])
    return model


@pytest.fixture(scope="module")
def clips() -> dict[str, npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return {"frames": rng.integers(0, 256, (9, *CLIP_SHAPE), np.uint8)}


def test_attention_gives_its_weights(clips: dict[str, npt.NDArray[np.uint8]]) -> None:
    model = detector(*BOTH)
    found = stream_weights(model, clips)
    expected = keras.Model(model.input, model.get_layer("fusion_weights").output)(clips["frames"])
    assert list(found) == list(BOTH)
    assert np.ptp(found["spatial"]) > 0
    np.testing.assert_allclose(np.stack(list(found.values()), axis=1), expected, atol=1e-6)
    assert stream_weights(model, {"frames": clips["frames"][:0]})["spatial"].shape == (0,)


def test_gates_are_shares(clips: dict[str, npt.NDArray[np.uint8]]) -> None:
    model = detector(*BOTH, fusion="gated")
    kernel, bias = model.get_layer("fusion_open").get_weights()
    open_and_shut = np.repeat(np.float32([2, -2]), len(bias) // 2)
    model.get_layer("fusion_open").set_weights([0 * kernel, open_and_shut])
    found = stream_weights(model, clips)
    np.testing.assert_allclose(found["spatial"], 1 / (1 + np.exp(-2)), rtol=1e-5)
    np.testing.assert_allclose(found["noise_residual"], 1 / (1 + np.exp(2)), rtol=1e-5)


def test_side_by_side_they_have_the_size_of_their_terms(
    clips: dict[str, npt.NDArray[np.uint8]],
) -> None:
    model = detector(*BOTH, fusion="concatenation")
    found = stream_weights(model, clips)
    terms = []
    for at, stream in enumerate(BOTH):
        embedding = keras.Model(model.input, model.get_layer(f"fusion_project_{stream}").output)
        rows = np.array_split(model.get_layer("fake_probability").get_weights()[0], 2)
        terms.append(np.abs(np.array(embedding(clips["frames"])) @ rows[at])[:, 0])
    np.testing.assert_allclose(found["spatial"], terms[0] / sum(terms), rtol=1e-3)
    np.testing.assert_allclose(sum(found.values()), 1, rtol=1e-5)


def test_a_single_stream_counts_all(clips: dict[str, npt.NDArray[np.uint8]]) -> None:
    found = stream_weights(detector("spatial"), clips)
    assert list(found) == ["spatial"]
    np.testing.assert_array_equal(found["spatial"], np.ones(9))


def test_an_ensemble_has_the_mean_of_its_members(clips: dict[str, npt.NDArray[np.uint8]]) -> None:
    first, second = detector(*BOTH, seed=1), detector("spatial", seed=2)
    both = merge_models({"a": first, "b": second}, [0.75, 0.25])
    assert stream_names(both) == list(BOTH)
    assert [share for _, share in members(both)] == pytest.approx([0.75, 0.25])
    found, of_first = stream_weights(both, clips), stream_weights(first, clips)
    np.testing.assert_allclose(found["noise_residual"], 0.75 * of_first["noise_residual"])
    np.testing.assert_allclose(sum(found.values()), 1, rtol=1e-5)


def test_a_model_without_streams_has_no_weights(clips: dict[str, npt.NDArray[np.uint8]]) -> None:
    inputs = keras.Input(CLIP_SHAPE, name="frames")
    x = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(inputs))
    assert stream_weights(keras.Model(inputs, x), clips) == {}


def test_a_model_that_joins_what_are_no_streams_is_refused() -> None:
    inputs = keras.Input((4,), name="frames")
    rows = [
        keras.layers.Reshape((1, 4), name=f"fusion_row_{name}")(inputs) for name in ("up", "down")
    ]
    x = keras.layers.Concatenate(axis=1, name="fusion_streams")(rows)
    x = keras.layers.Flatten(name="fusion_embedding")(x)
    x = keras.layers.Dense(1, activation="sigmoid", name="fake_probability")(x)
    with pytest.raises(ValueError, match=r"not made of detector blocks: .* its inputs down, up"):
        stream_weights(keras.Model(inputs, x), {"frames": np.zeros((2, 4), np.float32)})
