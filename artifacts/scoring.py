"""A finished detector on a prepared store: its own test split, or another data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from artifacts.averaging import average, mirrored
from artifacts.certificate import Certificate
from artifacts.evaluation import Evaluation, evaluate
from artifacts.export import load_detector
from artifacts.run_directory import RunDirectory
from data_prep.errors import UserError
from data_prep.store import Store

ALL = "all"
_BATCH = 8
# Settings that leave the frames as they are: what lies beside them, and where a file lies.
_NOT_OF_FRAMES = frozenset({"modalities", "detector_model"})


def score_clips(
    model: keras.Model, store: Store, rows: npt.NDArray[np.int64], *, mirror: bool = False
) -> npt.NDArray[np.float64]:
    """Fake probability of the rows in their order, (n,); a batch of clips in memory at a time.

    Args:
        model: a detector.
        store: of clips it takes.
        rows: which.
        mirror: average the logits of every clip and its mirror image, at twice the time. What a
            certificate says was scored without.
    """
    parts = []
    for start in range(0, len(rows), _BATCH):
        batch = read_inputs(model, store, rows[start : start + _BATCH])
        looks = [batch, mirrored(batch)] if mirror else [batch]
        answers = [probabilities(model, look) for look in looks]
        parts.append(average(np.stack(answers)) if mirror else answers[0])
    return np.concatenate(parts).astype(np.float64)


def read_inputs(
    model: keras.Model, store: Store, rows: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[Any]]:
    """What a detector takes of these rows, by the names of its inputs."""
    return {tensor.name: store.read(rows, tensor.name) for tensor in model.inputs}


def probabilities(
    model: keras.Model, arrays: Mapping[str, npt.NDArray[Any]]
) -> npt.NDArray[np.float32]:
    """Fake probability of a batch of clips, (n,).

    Args:
        model: a detector.
        arrays: what it takes, by the names of its inputs, and maybe more; first axis n.
    """
    inputs = [arrays[tensor.name] for tensor in model.inputs]
    answers = model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
    return np.asarray(answers[:, 0])


def score_split(
    probabilities: npt.NDArray[np.float64],
    store: Store,
    rows: npt.NDArray[np.int64],
    *,
    split: str,
    threshold: float,
    seed: int = 0,
) -> Evaluation:
    """Evaluate the probabilities of these rows at a frozen threshold."""
    return evaluate(
        store.labels[rows],
        probabilities,
        store.groups[rows],
        store.methods[rows],
        store.coverage[rows],
        split=split,
        threshold=threshold,
        quarantined=len(store.quarantine),
        seed=seed,
    )


def evaluate_on(
    run: RunDirectory, store: Store, split: str = "test", *, mirror: bool = False
) -> Evaluation:
    """Evaluate a run's exported model on a store, with the threshold frozen in its certificate.

    Args:
        run: a finished run.
        store: any store of the same frames and size.
        split: ``train``, ``val``, ``test``, or ``all`` of the store.
        mirror: average every clip with its mirror image, see :func:`score_clips`.

    Raises:
        UserError: the run has no model, the store has other clips, or the split lacks a label.
    """
    model, certificate = load_detector(run)
    expected = certificate.input.shape
    if store.clip_shape != expected:
        raise UserError(
            f"{store.path} has clips of {_shape(store.clip_shape)}, the model takes "
            f"{_shape(expected)}; prepare it with --frames {expected[0]} --size {expected[1]}"
        )
    missing = [name for name in certificate.modalities if name not in store.modalities]
    if missing:
        raise UserError(
            f"{store.path} has no {' and no '.join(missing)}, which the model needs; prepare it "
            f"with --modalities {','.join(certificate.modalities)}"
        )
    rows = np.arange(len(store)) if split == ALL else store.rows(split)
    if len(np.unique(store.labels[rows])) < 2:
        raise UserError(
            f"{store.path}: the {split} split needs real and fake clips, it has {len(rows)} clips; "
            "try --split all"
        )
    return score_split(
        score_clips(model, store, rows, mirror=mirror),
        store,
        rows,
        split=split,
        threshold=certificate.threshold,
    )


def differing_preparation(run: RunDirectory, store: Store) -> list[str]:
    """Settings in which a store's clips were prepared otherwise than the model's: name and both.

    What does not change the frames is passed over, and a setting that the certificate is too old
    to name has the value that predictions use.
    """
    expected = Certificate.read(run).clip_preparation.to_dict()
    found = store.preparation.get("clip", {})
    return [
        f"{name} {found.get(name)}, expected {value}"
        for name, value in expected.items()
        if name not in _NOT_OF_FRAMES and found.get(name) != value
    ]


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
