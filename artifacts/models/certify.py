"""The certificate of an exported model, made from the model, its store and its scores."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import keras
import numpy as np

from artifacts.certificate import (
    Certificate,
    InputContract,
    ModalityContract,
    ModelFile,
    ModelFiles,
    Origin,
)
from artifacts.ensemble_record import EnsembleRecord
from artifacts.metrics.metrics import Calibration, Evaluation
from artifacts.models.saved import versions
from artifacts.run_directory import RunDirectory
from data_prep.store.store import Store


@dataclasses.dataclass(frozen=True)
class Provenance:
    """Origin of a model: its trials and choices.

    Attributes:
        origin: Trial of the best single model.
        ensemble: Ensemble of kept trials; None if none was asked for.
        architecture: Hyperparameters of the detector.
        training: Training choices.
        seed: Seed of the run.
    """

    origin: Origin
    ensemble: EnsembleRecord | None
    architecture: dict[str, Any]
    training: dict[str, Any]
    seed: int


@dataclasses.dataclass(frozen=True)
class Judgement:
    """Frozen threshold and calibration of a model, and its scores.

    Attributes:
        threshold: At and above it a video is called fake.
        calibration: Platt scaling, already inside the model's last layer.
        validation: Metrics on the validation split.
        test: Metrics on the test split; None if it lacks a label.
        test_opened: Time when the test split was read, ISO 8601.
    """

    threshold: float
    calibration: Calibration
    validation: Evaluation
    test: Evaluation | None
    test_opened: str | None


def certify(
    run: RunDirectory,
    model: keras.Model,
    store: Store,
    provenance: Provenance,
    judgement: Judgement,
) -> Certificate:
    """Return the certificate of the model files of a run.

    Args:
        run: Run with both model files.
        model: Model in these files.
        store: Store of the run.
        provenance: How the model was made.
        judgement: Threshold, calibration and scores.
    """
    return Certificate(
        files=ModelFiles(h5=ModelFile.from_path(run.h5), keras=ModelFile.from_path(run.keras)),
        input=InputContract(shape=store.clip_shape),
        other_inputs=tuple(
            ModalityContract(name=tensor.name, shape=tensor.shape[1:])
            for tensor in model.inputs[1:]
        ),
        params=model.count_params(),
        threshold=judgement.threshold,
        calibration=judgement.calibration,
        origin=provenance.origin,
        ensemble=provenance.ensemble,
        architecture=provenance.architecture,
        training=provenance.training,
        validation=judgement.validation,
        test=judgement.test,
        test_opened=judgement.test_opened,
        synthetic=store.is_synthetic,
        preparation=store.preparation,
        trained_on=_training_lengths(store),
        store={"path": str(store.path), "fingerprint": store.fingerprint},
        seed=provenance.seed,
        versions=versions(),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _training_lengths(store: Store) -> tuple[float, float] | None:
    """Return the median and the greatest length of the training videos in seconds, if known."""
    seconds = store.media["duration"][store.rows("train")]
    if not (seconds > 0).all():
        # Pictures have no length.
        return None
    return round(float(np.median(seconds)), 3), round(float(seconds.max()), 3)
