"""Whatever happens to a model file, it is refused in one line, or opens as Keras opens it."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from artifacts.models.config import check_size, parse
from artifacts.models.refusal import RefusalError
from artifacts.models.structure.counts import zero_initializers
from artifacts.models.trust import open_model
from data_prep.errors import UserError

# More by hand: DFSEARCH_FUZZ=2000 pytest tests/artifacts/test_trust_fuzz.py
EXAMPLES = int(os.environ.get("DFSEARCH_FUZZ", "0"))
QUIET = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.generate,),
}


def _small() -> keras.Model:
    inside = keras.Input((4, 4, 2))
    part = keras.Model(inside, keras.layers.Flatten()(keras.layers.DepthwiseConv2D(3)(inside)))
    frames = keras.Input((3, 4, 4, 2), dtype="uint8", name="frames")
    x = keras.layers.Rescaling(1 / 255)(frames)
    x = keras.layers.Conv3D(2, (1, 3, 3), padding="same", activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.TimeDistributed(part)(x)
    x = keras.layers.Bidirectional(keras.layers.LSTM(2, return_sequences=True))(x)
    x = keras.layers.MultiHeadAttention(1, 2)(x, x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(frames, keras.layers.Dense(1, activation="sigmoid")(x))


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Of every kind of layer a little."""
    return _small()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, model: keras.Model) -> dict[str, bytes]:
    """The model as both files, by suffix."""
    folder = tmp_path_factory.mktemp("sound")
    found = {}
    for suffix in (".h5", ".keras"):
        model.save(folder / f"model{suffix}", include_optimizer=False)
        found[suffix] = (folder / f"model{suffix}").read_bytes()
    return found


@settings(max_examples=EXAMPLES or 12, derandomize=not EXAMPLES, **QUIET)
@given(data=st.data(), suffix=st.sampled_from([".h5", ".keras"]))
def test_changed_bytes_are_refused_or_open_as_keras_opens_them(
    files: dict[str, bytes], tmp_path: Path, data: st.DataObject, suffix: str
) -> None:
    content = bytearray(files[suffix])
    place = st.integers(0, len(content) - 1)
    for at, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=5)):
        content[at] = value
    cut = data.draw(st.just(len(content)) | place)
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content[:cut])
    try:
        ours = open_model(path)
    except UserError as error:
        assert "\n" not in str(error)
        return
    theirs = keras.models.load_model(path, compile=False)
    found, expected = (zero_initializers(one.get_config()) for one in (ours, theirs))
    assert found == expected
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 70), 1 << 70)
    | st.integers(-3, 9)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["relu", "Dense", "Functional", "keras.layers", "Lambda", "frames", "same"]),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(
            st.sampled_from(["class_name", "config", "module", "registered_name", "units", "name"]),
            inside,
            max_size=4,
        )
    ),
    max_leaves=6,
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key in it."""
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        return [(value, key) for key in keys] + [
            place for key in keys for place in _places(value[key])
        ]
    return []


@settings(max_examples=EXAMPLES or 60, derandomize=not EXAMPLES, **QUIET)
@given(data=st.data())
def test_a_changed_configuration_is_refused_or_makes_a_model_of_the_same_weights(
    model: keras.Model, data: st.DataObject
) -> None:
    config = copy.deepcopy({"class_name": "Functional", "config": _config(model)})
    for _ in range(data.draw(st.integers(1, 3))):
        places = _places(config)
        if not places:
            break
        holder, key = data.draw(st.sampled_from(places))
        if data.draw(st.booleans()):
            holder[key] = data.draw(VALUES)
        else:
            del holder[key]
    shapes = [tuple(weight.shape) for weight in model.weights]
    try:
        accepted = parse(json.dumps(config).encode("utf-8", "surrogatepass"))
        check_size(accepted, shapes)
    except RefusalError:
        return
    made = keras.Model.from_config(accepted["config"])
    assert sorted(tuple(weight.shape) for weight in made.weights) == sorted(shapes)


def _config(model: keras.Model) -> dict[str, Any]:
    return json.loads(json.dumps(model.get_config()))
