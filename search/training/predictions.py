"""Probabilities of validation samples, and the score that follows from them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from data_prep.store.format import REAL
from search.features.suffix import Suffix
from search.samples.batches import ClipBatches, Inputs
from search.samples.samples import Samples
from search.training.objectives import AUC, Objective, ValidationScore, validation_score

Probabilities = npt.NDArray[np.float32]

_LARGEST_BATCH = 16


def predict_samples(suffix: Suffix, val: Samples) -> Probabilities:
    """Return the probabilities (S,) of the validation samples, in their order.

    ``predict`` would set up its input pipeline in every epoch, which takes longer than to compute a
    small head.

    Args:
        suffix: Detector after its frozen prefix, with the features of the validation samples.
        val: Validation samples.
    """
    # All batches have one size, since TensorFlow compiles each size separately.
    count = -(-len(val) // _LARGEST_BATCH)
    size = -(-len(val) // count)
    batches = ClipBatches(val, Inputs(suffix.names, suffix.val), batch_size=size)

    def padded(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.resize(array, (size, *array.shape[1:]))

    found = []
    for index in range(len(batches)):
        inputs = keras.tree.map_structure(padded, batches[index][0])
        found.append(suffix.model.predict_on_batch(inputs)[:, 0])
    return np.concatenate(found)[: len(val)].astype(np.float32)


def score_samples(
    probabilities: npt.NDArray[np.floating],
    val: Samples,
    objective: Objective = AUC,
    without: str = "",
) -> ValidationScore:
    """Score the probabilities of the clips and of their pseudo-fakes, if there are any.

    Args:
        probabilities: (S,), as :func:`predict_samples` returns them.
        val: Validation samples: labelled clips first, then any real-only clips, then one part for
            each pseudo-fake of a real clip.
        objective: Objective of the search.
        without: Manipulation method whose clips are not scored.

    Raises:
        FloatingPointError: A probability is not finite: training has diverged.
    """
    if not np.isfinite(probabilities).all():
        raise FloatingPointError("the model gives NaN: training diverged")
    clips, made = len(val.parts[0]), sum(part.number > 0 for part in val.parts)
    stored = sum(len(part) for part in val.parts if not part.number)
    scored = val.methods[:clips] != without
    return validation_score(
        val.labels[:clips][scored],
        probabilities[:clips][scored],
        probabilities[stored:].reshape(made, -1) if made else None,
        objective,
        val.methods[:clips][scored],
        reals=probabilities[:stored][val.labels[:stored] == REAL],
    )
