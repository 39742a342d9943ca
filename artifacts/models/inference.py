"""Fake probabilities of clips by a detector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from artifacts.metrics.averaging import average, mirrored
from data_prep.errors import UserError
from data_prep.store.store import Store

BATCH = 8


def score_clips(
    model: keras.Model,
    store: Store,
    rows: npt.NDArray[np.int64],
    *,
    mirror: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> npt.NDArray[np.float64]:
    """Compute fake probabilities of the rows in their order, (n,).

    A batch of clips is in memory at a time.

    Args:
        model: a detector.
        store: store whose clips the model accepts.
        rows: rows of the clips.
        mirror: Average the logits of every clip and its mirror image, at twice the time. Scores
            in a certificate are without it.
        progress: called with the number of finished clips and of all clips.
    """
    parts = []
    for start in range(0, len(rows), BATCH):
        batch = read_inputs(model, store, rows[start : start + BATCH])
        parts.append(score_arrays(model, batch, mirror=mirror))
        progress(min(start + BATCH, len(rows)), len(rows))
    return np.concatenate(parts).astype(np.float64)


def score_arrays(
    model: keras.Model, arrays: Mapping[str, npt.NDArray[Any]], *, mirror: bool = False
) -> npt.NDArray[np.floating]:
    """Compute the fake probability of a batch of clips, (n,).

    Args:
        model: a detector.
        arrays: arrays by the names of the model's inputs, and maybe more; first axis n.
        mirror: average the logits of every clip and its mirror image.

    Raises:
        UserError: a score is no number.
    """
    looks = [arrays, mirrored(arrays)] if mirror else [arrays]
    answers = [probabilities(model, look) for look in looks]
    found = average(np.stack(answers)) if mirror else answers[0]
    if not np.isfinite(found).all():
        raise UserError("the model gives scores that are no numbers; it was changed or damaged")
    return np.asarray(found)


def read_inputs(
    model: keras.Model, store: Store, rows: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[Any]]:
    """Read the inputs of a detector for these rows, by name."""
    return {tensor.name: store.read(rows, tensor.name) for tensor in model.inputs}


def probabilities(
    model: keras.Model, arrays: Mapping[str, npt.NDArray[Any]]
) -> npt.NDArray[np.float32]:
    """Compute the fake probability of a batch of clips, (n,).

    Args:
        model: a detector.
        arrays: arrays by the names of the model's inputs, and maybe more; first axis n.
    """
    inputs = [arrays[tensor.name] for tensor in model.inputs]
    answers = model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
    return np.asarray(answers[:, 0])
