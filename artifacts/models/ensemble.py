"""Several detectors as one: a Keras model whose probability is the weighted mean of theirs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from spaces.streams.names import FRAMES, MODALITIES

_OUTPUT = "fake_probability"


def merge_models(members: Mapping[str, keras.Model], weights: Sequence[float]) -> keras.Model:
    """Merge detectors into one model of stock layers: the weighted mean of probabilities.

    The mean of probabilities is computed from logits, so sure members lose no digit. The last layer
    is dense on a logit, as in any detector, so calibration can be folded into it. Let r_i be the
    share of member i in the mean, softmax(log w + log p) over the members, and r' the shares in 1 -
    P. Bayes' rule gives the log-odds of the mean P from any member: logit P = logit p_i - log r_i +
    log r_i'. The last layer takes the mean of these N equal numbers.

    Args:
        members: at least two detectors that end in a sigmoid layer ``fake_probability``, by their
            names as nested models.
        weights: weights of the members in their order, above 0, with the sum 1.

    Returns:
        A model of the inputs that any member takes, ``frames`` first. The members are copies.

    Raises:
        ValueError: fewer than two members, other weights, or members of clips of another shape.
    """
    if len(members) < 2 or len(weights) != len(members):
        raise ValueError(f"needs two members or more with a weight each. Received: {len(members)}")
    if min(weights) <= 0 or not math.isclose(sum(weights), 1, abs_tol=1e-6):
        raise ValueError(f"weights must be above 0 with the sum 1. Received: {list(weights)}")
    inputs = _inputs(members)
    x = keras.layers.Concatenate(name="logits", dtype="float32")(
        [
            _logit(member, name)(_only([inputs[tensor.name] for tensor in member.inputs]))
            for name, member in members.items()
        ]
    )
    shares = {}
    for label, sign in (("fake", 1.0), ("real", -1.0)):
        y = keras.layers.Rescaling(sign, name=f"{label}_logits", dtype="float32")(x)
        y = _activation("log_sigmoid", f"{label}_log_probabilities")(y)
        y = keras.layers.Rescaling(
            1.0, [math.log(weight) for weight in weights], name=f"{label}_weighted", dtype="float32"
        )(y)
        shares[label] = _activation("log_softmax", f"{label}_log_shares")(y)
    x = keras.layers.Add(name="logits_and_real_shares", dtype="float32")([x, shares["real"]])
    x = keras.layers.Subtract(name="log_odds", dtype="float32")([x, shares["fake"]])
    output = keras.layers.Dense(
        1,
        activation="sigmoid",
        kernel_initializer=keras.initializers.Constant(1 / len(members)),
        dtype="float32",
        name=_OUTPUT,
    )(x)
    return keras.Model(_only(list(inputs.values())), output, name="ensemble")


def _inputs(members: Mapping[str, keras.Model]) -> dict[str, keras.KerasTensor]:
    """Make a new input for every input of a member, in the order of a detector's."""
    found: dict[str, keras.KerasTensor] = {}
    for name, member in members.items():
        for tensor in member.inputs:
            known = found.setdefault(tensor.name, tensor)
            if known.shape != tensor.shape:
                raise ValueError(
                    f"{name} takes {tensor.name} of {tensor.shape[1:]}, others {known.shape[1:]}"
                )
    return {
        name: keras.Input(shape=found[name].shape[1:], dtype=found[name].dtype, name=name)
        for name in (FRAMES, *MODALITIES)
        if name in found
    }


def _only(inputs: list[keras.KerasTensor]) -> list[keras.KerasTensor] | keras.KerasTensor:
    """Return inputs in the form of Keras: a list, or the only one."""
    return inputs if len(inputs) > 1 else inputs[0]


def _logit(member: keras.Model, name: str) -> keras.Model:
    """Return a copy of a detector that outputs the logit before its sigmoid, (batch, 1)."""
    config = member.get_config()
    config["name"] = name
    (last,) = (layer for layer in config["layers"] if layer["name"] == _OUTPUT)
    if last["config"].get("activation") != "sigmoid":
        raise ValueError(f"{name} does not end in a sigmoid layer {_OUTPUT}")
    last["config"]["activation"] = "linear"
    copy = type(member).from_config(config)
    copy.set_weights(member.get_weights())
    return copy


def _activation(kind: str, name: str) -> Any:
    return keras.layers.Activation(kind, name=name, dtype="float32")
