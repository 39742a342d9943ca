"""Fake probabilities of clips by a detector."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from artifacts.metrics.averaging import average, mirrored
from artifacts.models.refusal import first_line
from data_prep.errors import UserError
from data_prep.store.store import Store

BATCH = 8


_started: list[float] = []


class ScoreError(UserError):
    """A model that gives no probabilities, with the reason in one line."""


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
        ScoreError: as :func:`probabilities`.
    """
    looks = [arrays, mirrored(arrays)] if mirror else [arrays]
    answers = [probabilities(model, look) for look in looks]
    return np.asarray(average(np.stack(answers)) if mirror else answers[0])


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

    Raises:
        ScoreError: the model cannot compute, or gives anything else than n probabilities.
    """
    inputs = [arrays[tensor.name] for tensor in model.inputs]
    try:
        with computing():
            answers = model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
    except Exception as error:  # whatever a layer raises on shapes that it cannot compute
        raise ScoreError(f"the model cannot compute: {first_line(error)}") from None
    return check_probabilities(answers, len(inputs[0]))


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """Mark the time in which a model computes one batch, for :func:`seconds_of_batch`."""
    _started.append(time.monotonic())
    try:
        yield
    finally:
        _started.pop()


def seconds_of_batch() -> float:
    """Return the seconds since the model began to compute the present batch, or 0 without one."""
    started = _started[-1:]
    return time.monotonic() - started[0] if started else 0.0


def check_probabilities(answers: Any, count: int) -> npt.NDArray[np.float32]:
    """Return the answers of a model as probabilities, (n,).

    Args:
        answers: Output of the model.
        count: Number of clips, n.

    Raises:
        ScoreError: an answer is not a number from 0 to 1, or the shape is not (n, 1).
    """
    shape = getattr(answers, "shape", None)
    if shape != (count, 1):
        raise ScoreError(f"the model gives an output of shape {shape}, expected {(count, 1)}")
    found = np.asarray(answers[:, 0])
    wrong = found[~((found >= 0) & (found <= 1))]
    if len(wrong):
        raise ScoreError(
            f"the model gives {wrong[0]:.4g}, which is no probability; it was changed or damaged"
        )
    return found


def check_finite(values: npt.NDArray[np.floating], name: str) -> None:
    """Refuse values of a model that are not finite.

    Args:
        values: Computed by the model.
        name: Noun for the message, in the plural.

    Raises:
        ScoreError: a value is NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise ScoreError(f"the model gives {name} that are not finite; it was changed or damaged")
