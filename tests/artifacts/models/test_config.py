"""A configuration may name stock layers that compute, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import keras
import pytest

from artifacts.models.config import LAYERS, check_size, parse
from artifacts.models.refusal import RefusalError

Edit = Callable[[dict[str, Any]], None]
SHAPES: list[tuple[int, ...]] = [(4, 3), (3,)]


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """A serialised model of one dense layer; not to be changed."""
    x = keras.Input((4,), name="frames")
    model = keras.Model(x, keras.layers.Dense(3, name="inside")(x))
    return {"class_name": "Functional", "config": model.get_config()}


def _edited(config: dict[str, Any], edit: Edit) -> bytes:
    changed = copy.deepcopy(config)
    edit(changed["config"]["layers"][1])
    return json.dumps(changed).encode()


def _replace(**entries: Any) -> Edit:
    return lambda layer: layer.update(entries)


def _configure(**entries: Any) -> Edit:
    return lambda layer: layer["config"].update(entries)


def _plain(**entries: Any) -> Edit:
    return _replace(module=None, registered_name=None, **entries)


FORBIDDEN: dict[str, Edit] = {
    "__lambda__": _configure(activation={"class_name": "__lambda__", "config": {"value": "4wAA"}}),
    "keras.utils.get_file": _configure(
        kernel_initializer={
            "module": "keras.utils",
            "class_name": "get_file",
            "config": {"fname": "x", "origin": "http://127.0.0.1:9/x"},
            "registered_name": None,
        }
    ),
    "builtins.function": _configure(
        activation={
            "module": "builtins",
            "class_name": "function",
            "config": "eval",
            "registered_name": "function",
        }
    ),
    "__typespec__": _configure(activation={"class_name": "__typespec__", "config": []}),
    "os.system": _replace(class_name="system", module="os"),
    "keras.models.Model": _replace(class_name="Model", module="keras.models"),
    "keras.layers.serialize": _replace(class_name="serialize"),
    "keras.layers.Layer": _replace(class_name="Layer"),
    "keras.layers.Lambda": _replace(class_name="Lambda"),
    "TFSMLayer": _plain(class_name="TFSMLayer", config={"filepath": "saved"}),
    "TorchModuleWrapper": _plain(class_name="TorchModuleWrapper", config={"module": "x"}),
    "StringLookup": _plain(class_name="StringLookup", config={"vocabulary": "words.txt"}),
    "TextVectorization": _plain(class_name="TextVectorization", config={"vocabulary": "words.txt"}),
    "keras.layers.Dense": _replace(registered_name="elsewhere>Dense"),
    "Nowhere": _plain(class_name="Nowhere"),
    "keras.initializers.get": _configure(
        kernel_initializer={"module": "keras.initializers", "class_name": "get", "config": {}}
    ),
    "['Dense']": _plain(class_name=["Dense"]),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_anything_that_could_run_code_or_read_files_is_refused(
    name: str, config: dict[str, Any]
) -> None:
    with pytest.raises(RefusalError) as caught:
        parse(_edited(config, FORBIDDEN[name]))
    assert str(caught.value) == f"holds {name}, not a stock Keras layer"


def test_what_hides_inside_another_layer_is_found() -> None:
    x = keras.Input((4,))
    nested = keras.Model(x, keras.layers.Lambda(lambda value: value)(x))
    wrapped = keras.layers.TimeDistributed(keras.layers.Lambda(lambda value: value))
    for inside, shape in ((nested, (4,)), (wrapped, (3, 4))):
        outer = keras.Input(shape)
        model = keras.Model(outer, inside(outer))
        text = json.dumps({"class_name": "Functional", "config": model.get_config()}, default=str)
        with pytest.raises(RefusalError, match=r"holds (keras\.layers\.)?Lambda"):
            parse(text.encode())


def test_a_name_that_this_process_has_registered_is_refused(config: dict[str, Any]) -> None:
    @keras.saving.register_keras_serializable(package="registered")
    def twice(x: Any) -> Any:
        return 2 * x

    with pytest.raises(RefusalError, match="holds registered>twice, not a stock"):
        parse(_edited(config, _configure(activation="registered>twice")))


@pytest.mark.parametrize(
    "text",
    ["", "not json", "3", "[]", "{}", '{"config": 3}', "[" * 60_000, '{"config": {"a": NaN}}'],
    ids=lambda text: text[:8],
)
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(RefusalError, match="is not a Keras model file"):
        parse(text.encode())


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(RefusalError, match="is not a Keras model file"):
        parse(b"\xff\xfe\x00{")


def test_other_models_than_functional_ones_are_refused() -> None:
    with pytest.raises(RefusalError, match="holds Sequential, not a functional model"):
        parse(b'{"class_name": "Sequential", "config": {}}')


def test_depth_and_numbers_are_bounded(config: dict[str, Any]) -> None:
    deep: Any = 0
    for _ in range(100):
        deep = [deep]
    with pytest.raises(RefusalError, match="nested too deeply"):
        parse(_edited(config, _replace(more=deep)))
    for number in (1 << 40, 1e999):
        with pytest.raises(RefusalError, match="has the number"):
            parse(_edited(config, _configure(units=number)).replace(b"Infinity", b"1e999"))
    seeded = {"class_name": "GlorotUniform", "module": "keras.initializers"}
    seeded["config"] = {"seed": 1 << 40}  # type: ignore[assignment]
    check_size(parse(_edited(config, _configure(kernel_initializer=seeded))), SHAPES)


def test_no_weights_are_made_to_see_how_many_there_would_be(config: dict[str, Any]) -> None:
    large = parse(_edited(config, _configure(units=16_000_000)))
    made: list[Any] = []
    ones = keras.initializers.GlorotUniform.__call__

    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        made.append(args)
        return ones(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.initializers.GlorotUniform, "__call__", counting)
        with pytest.raises(RefusalError, match="it holds 15 weights, its layers need 80000000"):
            check_size(large, SHAPES)
        assert made == []
        keras.Model.from_config(parse(_edited(config, _configure(units=3)))["config"])
        assert made == []
    check_size(parse(_edited(config, _configure(units=3))), SHAPES)


def _chain(*layers: keras.layers.Layer) -> dict[str, Any]:
    first = x = keras.Input((4,))
    with keras.StatelessScope(initialize_variables=False):
        for layer in layers:
            x = layer(x)
        return {"class_name": "Functional", "config": keras.Model(first, x).get_config()}


def test_a_tensor_too_large_for_one_clip_is_refused() -> None:
    config = _chain(keras.layers.RepeatVector(1 << 20), keras.layers.UpSampling1D(1 << 10))
    with pytest.raises(RefusalError, match=r"needs a tensor of 1073741824 x 4 in up_sampling1d"):
        check_size(config, [])


def test_a_layer_laid_out_too_often_is_refused() -> None:
    repeated = keras.layers.TimeDistributed(keras.layers.ReLU())
    looped = keras.layers.LSTM(1)
    for layer, shapes in ((repeated, []), (looped, [(4, 4), (1, 4), (4,)])):
        config = _chain(keras.layers.RepeatVector(5000), layer)
        with pytest.raises(RefusalError, match=r"repeats .* (more than 4096|5000) times"):
            check_size(config, shapes)
        again = layer.from_config(layer.get_config())
        check_size(_chain(keras.layers.RepeatVector(5), again), shapes)


def test_layers_that_do_not_fit_together_are_refused_in_one_line(config: dict[str, Any]) -> None:
    with pytest.raises(RefusalError, match=r"^cannot be loaded: [^\n]+$"):
        check_size(parse(_edited(config, _configure(units=-1))), SHAPES)


def test_every_allowed_layer_that_keras_has_is_a_layer() -> None:
    found = {name for name in LAYERS if hasattr(keras.layers, name)}
    assert all(issubclass(getattr(keras.layers, name), keras.layers.Layer) for name in found)
    # Names of dimensions that Keras does not have.
    assert sorted(LAYERS - found) == ["DepthwiseConv3D", "SeparableConv3D"]
