"""Costs of a detector, estimated before memory is allocated for its weights."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import keras_tuner
import numpy as np

from search.detectors.allocation_free import avoid_allocation
from search.detectors.precision import Precision, policy
from search.features import prefix
from search.features.feature import COMPUTE_BATCH
from search.studies.hyperparameters import fixed_hyperparameters
from spaces.detector import DetectorGraph
from spaces.keras_internals import call_nodes, operation_of
from spaces.training.space import TrainingChoices

# A process with TensorFlow, before it has built anything.
_BASE_BYTES = 0.7e9
# Content of a file besides the weights: the graph as text, names, alignment.
_FILE_SHARE, _FILE_BYTES = 1.01, 250_000
_MOMENTS = {"adam": 2, "adamw": 2, "sgd": 1}


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Estimated costs of a detector.

    Attributes:
        params: Number of weights.
        file_bytes: Bytes of its file.
        memory_bytes: Bytes of a process that trains it. They include weights, gradients, variables
            of the optimizer, two copies for the best epoch and the checkpoint, and twice the
            outputs of the trained part for one batch. A frozen part counts with its two largest
            consecutive outputs.
    """

    params: int
    file_bytes: int
    memory_bytes: int


def estimate(
    graph: DetectorGraph,
    hp: keras_tuner.HyperParameters,
    choices: TrainingChoices,
    precision: Precision = "float32",
    trained: DetectorGraph | None = None,
) -> Estimate | None:
    """Return the costs of a detector without allocating it.

    The detector is built inside a TensorFlow graph, in which a variable is a name and a shape;
    values are not loaded.

    Args:
        graph: Detector space.
        hp: Answers of the choices.
        choices: How the detector would be trained.
        precision: Precision of the arithmetic.
        trained: Detector space for fewer frames that is trained instead, if any.

    Returns:
        ``None`` for networks that compute with their own constants while they are built, such as
        ConvNeXt and EfficientNet B0 to B7. Their costs are known after they are built.
    """
    keras.utils.clear_session()
    try:
        with avoid_allocation(), policy(precision):
            model = graph.build(hp)
            learner = (
                trained.build(fixed_hyperparameters(dict(hp.values)))
                if trained is not None
                else model
            )
            return estimate_model(model, choices, learner)
    except NotImplementedError:
        return None
    finally:
        keras.utils.clear_session()


def estimate_model(
    model: keras.Model, choices: TrainingChoices, learner: keras.Model | None = None
) -> Estimate:
    """Return the costs of a detector that is built; see :class:`Estimate`.

    Args:
        model: The detector.
        choices: How it is trained.
        learner: Detector that is trained instead.
    """
    learner = learner or model
    params = sum(map(_size, model.weights))
    trainable = 4 * sum(map(_size, learner.trainable_weights))
    copies = 1 + _MOMENTS[choices.optimizer] + choices.weight_averaging + 2
    outputs = _outputs(learner, choices.batch_size)
    if learner is not model:
        params_held = 4 * (params + sum(map(_size, learner.weights)))
    else:
        params_held = 4 * params
    return Estimate(
        params=params,
        file_bytes=round(4 * params * _FILE_SHARE + _FILE_BYTES),
        memory_bytes=round(_BASE_BYTES + params_held + copies * trainable + outputs),
    )


def _outputs(model: keras.Model, batch: int) -> float:
    """Return the bytes of outputs in a training step, or in the computation of features."""
    held, passed, largest = 0.0, 0.0, 0.0
    trains: dict[int, bool] = {}
    for operation in prefix.flatten(model).operations:
        inputs = keras.tree.flatten(operation.input) if call_nodes(operation) else []
        before = [trains.get(id(operation_of(tensor)), False) for tensor in inputs]
        ours = any(before) or bool(getattr(operation, "trainable_weights", ()))
        trains[id(operation)] = ours
        size = sum(prefix.size_of(tensor) for tensor in keras.tree.flatten(operation.output))
        if ours:
            held += size
        else:
            passed, largest = size, max(largest, size + passed)
    return 2 * held * batch + largest * COMPUTE_BATCH


def _size(weight: Any) -> int:
    return int(np.prod(weight.shape))
