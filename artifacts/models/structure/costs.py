"""Costs of a model for one clip, computed from its operations before any weight is allocated.

The model is traced into a TensorFlow graph, in which a tensor is a name and a shape. So the limits
hold for all that is computed: for every call of a shared layer or of a model inside a model, every
repetition, and inside a layer, such as the scores of attention.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from artifacts.models.refusal import RefusalError

# Numbers in one tensor, for one clip: a gigabyte of float32.
LARGEST_TENSOR = 1 << 28
# Numbers in all tensors, and products of numbers.
MOST_NUMBERS = 1 << 35
MOST_PRODUCTS = 1 << 43
# Steps of a layer that is laid out or looped over steps.
MOST_STEPS = 4096

_CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2dNative")
_PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum")
_LOOPS = ("While", "StatelessWhile")
_STEPS = "TensorListFromTensor"


def check_costs(model: keras.Model) -> None:
    """Refuse a model whose operations take more memory or time than one clip may.

    Args:
        model: Functional model, built without values in a ``StatelessScope``; call inside it.

    Raises:
        RefusalError: A tensor, the sum of tensors, the products or the steps of a loop exceed
            their limit, or the output has another shape than the layers declare.
    """
    with tf.Graph().as_default() as graph:
        inputs = [_placeholder(tensor) for tensor in model.inputs]
        outputs = keras.tree.flatten(
            model(inputs if len(inputs) > 1 else inputs[0], training=False)
        )
        numbers = products = steps = 0
        for operation in graph.get_operations():
            given = [_size(tensor) for tensor in operation.inputs]
            made = [_size(tensor) for tensor in operation.outputs]
            for tensor, size in zip(operation.outputs, made, strict=True):
                _check_tensor(tensor, size, operation.name)
            if operation.type == _STEPS:
                steps = max(steps, operation.inputs[0].shape[0] or 0)
            numbers += sum(made)
            products += _products(operation, given, made, steps)
    if steps > MOST_STEPS:
        raise RefusalError(f"repeats a layer {steps} times, at most {MOST_STEPS} allowed")
    for kind, found, most in (
        ("numbers", numbers, MOST_NUMBERS),
        ("products", products, MOST_PRODUCTS),
    ):
        if found > most:
            raise RefusalError(
                f"computes {found:.2g} {kind} for one clip, at most {most:.2g} allowed"
            )
    for tensor, declared in zip(outputs, model.outputs, strict=True):
        # Sides that a layer leaves open fit any.
        if not tensor.shape[1:].is_compatible_with(declared.shape[1:]):
            raise RefusalError(f"gives {tensor.shape[1:]}, its layers declare {declared.shape[1:]}")


def _placeholder(tensor: keras.KerasTensor) -> Any:
    if None in tensor.shape[1:]:
        raise RefusalError(f"takes {tensor.name} of any size, expected a fixed shape")
    return tf.compat.v1.placeholder(tensor.dtype, (1, *tensor.shape[1:]))


def _check_tensor(tensor: Any, size: int, name: str) -> None:
    if size > LARGEST_TENSOR:
        sides = " x ".join(str(side) for side in tensor.shape[1:])
        raise RefusalError(f"needs a tensor of {sides} in {name.split('/')[0]}")


def _size(tensor: Any) -> int:
    """Return the numbers in a tensor; sides that are only known later count once."""
    shape = tensor.shape
    return 1 if shape.rank is None else math.prod(side or 1 for side in shape)


def _products(operation: Any, given: list[int], made: list[int], steps: int) -> int:
    """Return how many numbers an operation multiplies, at least."""
    if operation.type in _CONVOLUTIONS:
        shape = operation.inputs[1].shape
        channels = math.prod(shape[-2:]) if "Depthwise" in operation.type else shape[-1]
        return made[0] * given[1] // max(channels or 1, 1)
    if operation.type in _PRODUCTS and len(given) > 1:
        # Of (m, k) and (k, n) these are m k n, the root of the product of all three sizes.
        return math.isqrt(given[0] * given[1] * made[0])
    if operation.type in _LOOPS:
        return max(steps, 1) * sum(given)
    return 0
