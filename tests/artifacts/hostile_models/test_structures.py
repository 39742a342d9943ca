"""Small configurations of huge models are refused with a reason, most of them unbuilt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from artifacts.models.config import check_size, parse
from artifacts.models.refusal import RefusalError

Config = dict[str, Any]
Shapes = list[tuple[int, ...]]


def _tensor(name: str, node: int = 0) -> Config:
    history = {"shape": [None, 1], "dtype": "float32", "keras_history": [name, node, 0]}
    return {"class_name": "__keras_tensor__", "config": history}


def _part(kind: str, **config: Any) -> Config:
    """Write a layer as Keras does, without its place in a model."""
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": config,
        "registered_name": None,
    }


def _node(*names: str | tuple[str, int], joined: bool = False) -> Config:
    tensors = [_tensor(name) if isinstance(name, str) else _tensor(*name) for name in names]
    return {"args": [tensors] if joined else tensors, "kwargs": {}}


def _functional(layers: Sequence[Config], first: str = "frames", last: str = "") -> Config:
    """Write a model of layers; one without nodes takes the output of the layer before it."""
    written: list[Config] = []
    for layer in layers:
        name = layer["config"]["name"]
        nodes = layer.get("inbound_nodes")
        if nodes is None:
            nodes = [_node(written[-1]["name"])] if written else []
        written.append(layer | {"name": name, "inbound_nodes": nodes})
    end = [last or written[-1]["name"], 0, 0]
    config = {"name": "model", "layers": written, "trainable": True}
    config |= {"input_layers": [[first, 0, 0]], "output_layers": [end]}
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "registered_name": "Functional",
    }


def _input(*shape: int | None, name: str = "frames") -> Config:
    return _part("InputLayer", batch_shape=[None, *shape], dtype="float32", name=name)


def _model(shape: tuple[int | None, ...], *layers: Config) -> Config:
    named = [
        layer | {"config": {"name": f"layer_{place}"} | layer["config"]}
        for place, layer in enumerate(layers)
    ]
    return _functional([_input(*shape), *named])


def _nested(depth: int, calls: int) -> Config:
    """Write models inside models, each called some times by the one around it."""
    model = _model((2,), _part("ReLU"))
    for level in range(depth):
        inner = model | {"config": model["config"] | {"name": "inner"}}
        nodes = [_node("frames"), *(_node(("inner", at)) for at in range(calls - 1))]
        inner = inner | {"inbound_nodes": nodes, "name": "inner"}
        model = _functional([_input(2), inner])
        model["config"]["name"] = f"level_{level}"
    return model


def _calls(count: int) -> Config:
    nodes = [_node("frames"), *(_node(("relu", at)) for at in range(count - 1))]
    return _functional([_input(2), _part("ReLU", name="relu") | {"inbound_nodes": nodes}])


def _wide(count: int) -> Config:
    node = _node(*["frames"] * count, joined=True)
    return _functional([_input(2), _part("Concatenate", name="all") | {"inbound_nodes": [node]}])


def _tuples(value: Any) -> Any:
    """Write lists as Keras writes tuples in a ``.h5`` file."""
    if isinstance(value, list):
        return {"class_name": "__tuple__", "items": [_tuples(item) for item in value]}
    return value


_LSTM = _part("LSTM", units=1, name="lstm")


def _lstm(**settings: Any) -> Config:
    return _LSTM | {"config": _LSTM["config"] | settings}


_ONCE = _part("TimeDistributed", layer=_part("ReLU", name="relu"), name="inside")
_OF_STEPS = _model((4, 2), _ONCE)
_MANY = [[[1.0]] * 9, [[2.0]] * 9]

UNBUILT: dict[str, tuple[Config, str]] = {
    "stateful": (
        _model((2,), _part("RepeatVector", n=1 << 24), _lstm(stateful=True)),
        "has a LSTM with stateful",
    ),
    "stateful inside": (
        _model((8, 2), _part("Bidirectional", layer=_lstm(stateful=True))),
        "has a LSTM with stateful",
    ),
    "unroll": (_model((4096, 2), _lstm(unroll=True)), "has a LSTM with unroll"),
    "unroll in two directions": (
        _model((4096, 2), _part("Bidirectional", layer=_lstm(unroll=1))),
        "has a LSTM with unroll",
    ),
    "unroll in steps": (
        _model((8, 4096, 2), _part("TimeDistributed", layer=_lstm(unroll=True))),
        "has a LSTM with unroll",
    ),
    "steps in steps": (
        _model((4000, 4000, 2), _part("TimeDistributed", layer=_ONCE)),
        "has a TimeDistributed inside another",
    ),
    "steps in a model in steps": (
        _model((4000, 4, 2), _part("TimeDistributed", layer=_OF_STEPS)),
        "has a TimeDistributed inside another",
    ),
    "nested scale": (_model((1,), _part("Rescaling", scale=_MANY)), "lists inside its scale"),
    "nested tuples": (
        _model((1,), _part("Rescaling", scale=1.0, offset=_tuples(_MANY))),
        "lists inside its offset",
    ),
    "long offset": (
        _model((1,), _part("Rescaling", scale=1.0, offset=[0.0] * 4096)),
        "has a Rescaling with 4096 values of offset",
    ),
    "axes": (
        _model((4096, 4096, 4096), _part("Normalization", axis=[1, 2, 3], mean=0, variance=1)),
        "has a Normalization over 3 axes",
    ),
    "nested mean": (
        _model((1,), _part("Normalization", axis=-1, mean=_MANY, variance=_MANY)),
        "lists inside its mean",
    ),
    "models in models": (_nested(11, 4), r"calls its layers \d{8} times"),
    "models in models, deeper": (_nested(14, 16), "calls its layers more than 1000000000 times"),
    "calls": (_calls(60_000), "calls its layers 60002 times"),
    "layers": (_model((2,), *[_part("ReLU")] * 19_000), "calls its layers 19002 times"),
    "tensors": (_wide(60_000), "passes 60000 tensors"),
    "long name": (_model((2,), _part("ReLU", name="x" * 10_000)), "a string of 10000 characters"),
    "escapes": (_model((2,), _part("ReLU", name="\x1b[2J")), r"unprintable text '\\x1b\[2J'"),
    "escapes in keys": (_model((2,), _part("ReLU", **{"\x9b": 1})), "unprintable text"),
    "embedding": (_model((2,), _part("Embedding", input_dim=1, output_dim=1)), "holds .*Embedding"),
}


@pytest.mark.parametrize("name", UNBUILT)
def test_it_is_refused_before_a_layer_is_built(name: str) -> None:
    config, reason = UNBUILT[name]
    with pytest.raises(RefusalError, match=reason) as caught:
        parse(json.dumps(config).encode())
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" + "{}," * (1 << 20)])
def test_text_that_takes_more_memory_than_it_has_is_refused(text: str) -> None:
    with pytest.raises(RefusalError, match=r"is not a Keras model file|too large to read"):
        parse(text.encode())


def test_no_initialiser_of_a_file_is_kept() -> None:
    slow = {"module": "keras.initializers", "class_name": "Orthogonal", "config": {"gain": 1.0}}
    dense = _part("Dense", units=6000, kernel_initializer=slow | {"registered_name": None})
    named = _part("LSTM", units=3, recurrent_initializer="orthogonal")
    cell = _part("LSTMCell", units=3, kernel_initializer=slow)
    found = parse(json.dumps(_model((6000,), dense, named, _part("RNN", cell=cell))).encode())
    assert "rthogonal" not in json.dumps(found)
    assert json.dumps(found).count('"Zeros"') == 3


def _shared(kind: str, calls: int, **config: Any) -> Config:
    """Write a layer that is called again on its own output."""
    nodes = [_node("frames"), *(_node(("again", at)) for at in range(calls - 1))]
    layer = _part(kind, name="again", **config) | {"inbound_nodes": nodes}
    model = _functional([_input(2, 1), layer])
    model["config"]["output_layers"] = [["again", calls - 1, 0]]
    return model


def _attending(kind: str, *shape: int, **config: Any) -> Config:
    layer = _part(kind, name="attention", **config)
    node = _node("frames", "frames", joined="Multi" not in kind)
    return _functional([_input(*shape), layer | {"inbound_nodes": [node]}])


def _around(inner: Config, *shape: int) -> Config:
    inner = inner | {"config": inner["config"] | {"name": "inner"}}
    return _functional([_input(*shape), inner])


_KERNEL = (3, 3, 3, 256, 256)
_CONVOLUTIONS = [_node("frames"), *(_node(("conv", at)) for at in range(99))]

BUILT: dict[str, tuple[Config, Shapes, str]] = {
    "attention": (_attending("Attention", 147_456, 1), [], "tensor of 147456 x 147456"),
    "additive attention": (
        _attending("AdditiveAttention", 4096, 64, use_scale=False),
        [],
        "tensor of 4096 x 4096 x 64",
    ),
    "heads": (
        _attending("MultiHeadAttention", 30_000, 1, num_heads=1, key_dim=1, use_bias=False),
        [(1, 1, 1)] * 4,
        "tensor of 1 x 30000 x 30000",
    ),
    "attention inside": (
        _around(_attending("Attention", 147_456, 1), 147_456, 1),
        [],
        "tensor of 147456 x 147456",
    ),
    "dot": (
        _functional(
            [
                _input(30_000, 1),
                _part("Dot", axes=[2, 2], name="dot")
                | {"inbound_nodes": [_node("frames", "frames", joined=True)]},
            ]
        ),
        [],
        "tensor of 30000 x 30000",
    ),
    "upsampling": (
        _model((8, 8, 1), _part("UpSampling2D", size=[8192, 8192])),
        [],
        "tensor of 65536 x 65536",
    ),
    "padding": (
        _model((4, 4, 4, 1), _part("ZeroPadding3D", padding=[[4096, 4096]] * 3)),
        [],
        "tensor of 8196 x 8196 x 8196",
    ),
    "repeated vector": (
        _model((1024,), _part("RepeatVector", n=1 << 24)),
        [],
        "tensor of 16777216 x 1024",
    ),
    "resizing": (
        _model((8, 8, 1), _part("Resizing", height=1 << 20, width=1 << 20)),
        [],
        "tensor of 1048576 x 1048576",
    ),
    "reshape": (
        _model((8,), _part("Reshape", target_shape=[1 << 20, 1 << 20])),
        [],
        "cannot be loaded: ",
    ),
    "kernel": (
        _model((8, 8, 1), _part("Conv2D", filters=1, kernel_size=[1 << 20] * 2, padding="same")),
        [],
        "it holds 0 weights, its layers need 1099511627777",
    ),
    "units": (_model((8,), _part("Dense", units=1 << 24)), [], "need 150994944"),
    "growing calls": (_shared("UpSampling1D", 40, size=2), [], "needs a tensor of"),
    "steps": (
        _model((5000, 2), _part("TimeDistributed", layer=_part("ReLU", name="relu"))),
        [],
        "more than 4096 times",
    ),
    "loop": (_model((1 << 20, 2), _lstm(use_bias=False)), [(2, 4), (1, 4)], "1048576 times"),
    "loop inside": (
        _around(_model((1 << 20, 2), _lstm(use_bias=False)), 1 << 20, 2),
        [(2, 4), (1, 4)],
        "1048576 times",
    ),
    "two directions": (
        _model((1 << 20, 2), _part("Bidirectional", layer=_lstm(use_bias=False))),
        [(2, 4), (1, 4), (2, 4), (1, 4)],
        "1048576 times",
    ),
    "products": (
        _functional(
            [
                _input(16, 64, 64, 256),
                _part("Conv3D", filters=256, kernel_size=[3] * 3, padding="same", name="conv")
                | {"inbound_nodes": _CONVOLUTIONS},
            ],
            last="conv",
        ),
        [_KERNEL, (256,)],
        "products for one clip",
    ),
    "numbers": (
        _model((1 << 13, 1 << 14), *[_part("ReLU")] * 400),
        [],
        "numbers for one clip",
    ),
    "hidden shape": (
        _model((1,), _part("Rescaling", scale=1.0, offset=[0.0] * 64)),
        [],
        r"gives \(64,\), its layers declare \(1,\)",
    ),
    "any size": (_model((None, 2), _part("ReLU")), [], "takes frames of any size"),
    "itself": (
        _functional([_input(2), _part("ReLU", name="relu") | {"inbound_nodes": [_node("relu")]}]),
        [],
        "cannot be loaded: ",
    ),
    "ring": (
        _functional(
            [
                _input(2),
                _part("ReLU", name="one") | {"inbound_nodes": [_node("two")]},
                _part("ReLU", name="two") | {"inbound_nodes": [_node("one")]},
            ]
        ),
        [],
        "cannot be loaded: ",
    ),
    "missing layer": (
        _functional([_input(2), _part("ReLU", name="r") | {"inbound_nodes": [_node("gone")]}]),
        [],
        "cannot be loaded: ",
    ),
    "missing call": (
        _functional(
            [_input(2), _part("ReLU", name="r") | {"inbound_nodes": [_node(("frames", 7))]}]
        ),
        [],
        "cannot be loaded: ",
    ),
}


@pytest.mark.parametrize("name", BUILT)
def test_it_is_refused_by_its_operations(name: str) -> None:
    config, shapes, reason = BUILT[name]
    # The last of many calls is the output.
    if name == "products":
        config["config"]["output_layers"] = [["conv", 99, 0]]
    accepted = parse(json.dumps(config).encode())
    with pytest.raises(RefusalError, match=reason):
        check_size(accepted, shapes)


def test_usual_models_pass() -> None:
    pairs = _part("ZeroPadding2D", name="pairs", padding=[[1, 1], [2, 2]])
    conv = _part("Conv2D", filters=2, kernel_size=[3, 3])
    scaled = _part("Rescaling", scale=[1.0, 2.0], offset=[0.5, 0.5])
    model = _model((8, 8, 8, 2), _part("TimeDistributed", layer=pairs))
    check_size(parse(json.dumps(model).encode()), [])
    model = _model((8, 8, 2), scaled, conv, _part("GlobalAveragePooling2D"))
    check_size(parse(json.dumps(model).encode()), [(3, 3, 2, 2), (2,)])
    check_size(parse(json.dumps(_nested(3, 4)).encode()), [])
