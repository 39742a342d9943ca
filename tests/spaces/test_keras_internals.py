"""An upgrade of Keras that moves a private name fails here, with the name in the message."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from spaces import keras_internals

ROOT = Path(__file__).parents[2]
ROOMS = ("dfsearch", "search", "artifacts", "spaces", "data_prep")
_PRIVATE = re.compile(
    r"(from|import) (keras\.src|keras_tuner\.engine|autokeras\.\w)|\._(flatten_layers|keras_history"
    r"|inbound_nodes|outbound_nodes|nodes_by_depth|run_through_graph|seed_generators"
    r"|model_variables_moving_average)\b"
)


@pytest.fixture
def model() -> keras.Model:
    x = keras.Input((4,), name="a")
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="dense")], name="inner")
    y = layers.Dropout(0.5, name="dropout")(inner(x))
    return keras.Model(x, layers.Dense(1, name="head")(y), name="whole")


def test_the_graph_of_a_model_can_be_walked(model: keras.Model) -> None:
    nodes = keras_internals.nodes_in_order(model)
    assert [node.operation.name for node in nodes] == ["a", "inner", "dropout", "head"]
    assert keras_internals.operation_of(model.outputs[0]).name == "head"
    node = keras_internals.node_of(model.outputs[0])
    assert [tensor.shape for tensor in node.input_tensors] == [(None, 3)]
    assert [tensor.shape for tensor in node.outputs] == [(None, 1)]
    assert node.arguments.args
    assert len(keras_internals.call_nodes(model.get_layer("head"))) == 1
    assert keras_internals.is_used(model.inputs[0])
    assert not keras_internals.is_used(model.outputs[0])


def test_layers_inside_others_are_found(model: keras.Model) -> None:
    names = {layer.name for layer in keras_internals.nested_layers(model, include_self=False)}
    assert {"inner", "dense", "dropout", "head"} <= names
    assert model in keras_internals.nested_layers(model)
    functional = keras_internals.functional_of(model.get_layer("inner"))
    assert isinstance(functional, keras_internals.Functional)
    assert keras_internals.has_random_state(model.get_layer("dropout"))
    assert not keras_internals.has_random_state(model.get_layer("head"))


def test_operations_can_be_replaced_one_by_one(model: keras.Model) -> None:
    called = []

    def call_of(operation: keras.Operation) -> keras.Operation:
        called.append(operation.name)
        return operation

    x = np.ones((2, 4), np.float32)
    outputs = keras_internals.run_operations(model, [x], call_of)
    np.testing.assert_allclose(keras.tree.flatten(outputs)[0], model(x), atol=1e-6)
    assert called == ["inner", "dropout", "head"]


def test_a_shape_can_be_completed() -> None:
    tensor = keras.KerasTensor((None, None))
    keras_internals.set_shape(tensor, (None, 5))
    assert tensor.shape == (None, 5)


def test_averages_of_weights_are_found(model: keras.Model) -> None:
    optimizer = keras.optimizers.Adam(use_ema=True)
    optimizer.build(model.trainable_variables)
    averages = keras_internals.averages_of(optimizer)
    found = [tuple(average.shape) for average in averages]
    assert found == [tuple(variable.shape) for variable in model.trainable_variables]


def test_a_model_is_written_to_an_open_file_as_by_its_name(
    model: keras.Model, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "open.h5", "w") as file:
        keras_internals.write_h5(model, file)
    model.save(tmp_path / "named.h5", include_optimizer=False)
    with h5py.File(tmp_path / "open.h5") as ours, h5py.File(tmp_path / "named.h5") as theirs:
        assert dict(ours.attrs) == dict(theirs.attrs)
        read = keras_internals.read_h5(ours)
    x = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(read(x), model(x))


def test_no_other_module_uses_what_is_private() -> None:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            if not path.name.endswith("_internals.py"):
                found = _PRIVATE.search(path.read_text(encoding="utf-8"))
                assert not found, f"{path.relative_to(ROOT)}: {found and found.group()}"
