"""The discriminator of a GAN as a judge of real faces it never saw and of fakes of a store."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from data_prep.store.store import Store
from search.gan.faces import Faces, resize_faces, to_unit
from search.gan.training import GanTraining

MAX_CLIPS = 1024
_CLIPS_AT_A_TIME = 16


@dataclasses.dataclass(frozen=True)
class RealAccuracy:
    """Shares of real faces that a discriminator classifies as real.

    If it recognises its training faces and rejects held-out ones, it has memorised the training
    faces.

    Attributes:
        train: Share of its training faces.
        held_out: Share of faces of other people.
    """

    train: float
    held_out: float


def real_accuracy(
    training: GanTraining,
    train: Faces,
    held_out: npt.NDArray[np.float32],
    generated: npt.NDArray[np.float32],
) -> RealAccuracy:
    """Return how well a discriminator separates real faces from generated ones.

    A face counts as real if its logit is above the middle of the means of training faces and of
    generated faces: the Wasserstein loss has no zero of its own.

    Args:
        training: The pair of networks.
        train: uint8 (n, side, side, 3); evenly spaced faces of it are used, at most one for each
            generated face.
        held_out: Faces in -1..1.
        generated: Faces in -1..1.
    """
    few = np.linspace(0, len(train) - 1, min(len(train), len(generated))).astype(int)
    known, unknown, made = map(training.logits, (to_unit(train[few]), held_out, generated))
    middle = (known.mean() + made.mean()) / 2
    return RealAccuracy(float((known > middle).mean()), float((unknown > middle).mean()))


def detector_auc(judge: keras.Model, store: Store, split: str) -> float | None:
    """Return the AUC of a discriminator as a detector: a low mean logit over the frames means fake.

    Args:
        judge: Network from faces in -1..1 to a logit.
        store: An open store.
        split: Name of the split; at most :data:`MAX_CLIPS` evenly spaced clips are used.

    Returns:
        The AUC, or ``None`` if all clips of the split have one label.
    """
    rows = store.rows(split)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MAX_CLIPS)).astype(int)]
    labels = store.labels[rows]
    if len(np.unique(labels)) < 2:
        return None
    return float(roc_auc_score(labels, -clip_logits(judge, store, rows)))


def clip_logits(
    judge: keras.Model, store: Store, rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the mean logit over the frames of each clip: float64 (len(rows),), high for real."""
    side, length = judge.input_shape[1], store.clip_shape[0]
    found = []
    for start in range(0, len(rows), _CLIPS_AT_A_TIME):
        clips = store.read(rows[start : start + _CLIPS_AT_A_TIME])
        faces = to_unit(resize_faces(clips.reshape(-1, *clips.shape[2:]), side))
        logits = judge.predict(faces, batch_size=256, verbose=0)
        found.append(np.asarray(logits, np.float64).reshape(-1, length).mean(axis=1))
    return np.concatenate(found)
