"""The detector as a file: its writing, and the opening of a run's own model."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from artifacts.certificate import Certificate, ModelFile
from artifacts.metrics.metrics import Calibration
from artifacts.models.inference import probabilities, read_inputs
from artifacts.models.trust import check_size_on_disk, open_model
from artifacts.run_directory import RunDirectory, replace_file
from data_prep.errors import UserError
from data_prep.store.hdf5 import create_hdf5
from data_prep.store.store import Store
from spaces.keras_internals import read_h5, write_h5

VERSIONED = (
    "deepfake-model-search",
    "autokeras",
    "keras",
    "keras-tuner",
    "tensorflow",
    "optuna",
    "numpy",
    "h5py",
    "opencv-python",
)

AGREEMENT = 1e-5
"""Largest difference of probabilities between a model and its reloaded file."""

_CONSTRAINTS = frozenset({"kernel_constraint", "bias_constraint", "depthwise_constraint"})


def fold_calibration(model: keras.Model, calibration: Calibration) -> None:
    """Put Platt scaling into the last dense layer, so that every copy of the model is calibrated.

    The layer computes sigmoid(w.x + b); scaling its logit is scaling w and b.
    """
    layer = model.get_layer("fake_probability")
    kernel, bias = layer.get_weights()
    layer.set_weights(
        [
            (kernel * calibration.slope).astype(np.float32),
            (bias * calibration.slope + calibration.intercept).astype(np.float32),
        ]
    )


def plain_copy(model: keras.Model) -> keras.Model:
    """Return a copy of the model for use: float32 throughout, without parts of training.

    A model trained in mixed precision is the same function of the same float32 weights, computed
    more exactly. Constraints on weights are only needed in training.
    """
    copy = type(model).from_config(_plain(model.get_config()))
    copy.set_weights(model.get_weights())
    return copy


def inference_copy(model: keras.Model) -> keras.Model:
    """Return the model itself if it is plain and not compiled, else a plain copy."""
    config = model.get_config()
    return plain_copy(model) if model.compiled or _plain(config) != config else model


def _plain(config: Any) -> Any:
    """Return a serialised model without constraints and with one dtype policy."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return config | {"config": {"name": "float32"}}
        return {
            key: None if key in _CONSTRAINTS else _plain(value) for key, value in config.items()
        }
    if isinstance(config, list | tuple):
        return type(config)(map(_plain, config))
    return config


def save_model(model: keras.Model, run: RunDirectory) -> None:
    """Write ``best_model.keras`` and ``best_model.h5`` without optimizer, each whole or not."""
    inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
    inference = keras.Model(inputs, model.outputs[0], name="deepfake_detector")
    for path in (run.keras, run.h5):
        with replace_file(path) as temporary:
            write_model(inference, temporary)


def write_model(model: keras.Model, path: Path) -> None:
    """Write a ``.h5`` or ``.keras`` file without optimizer, also where there are no locks."""
    if path.suffix != ".h5":
        model.save(path, include_optimizer=False)
        return
    with create_hdf5(path) as file:
        write_h5(model, file)


def check_saved_files(run: RunDirectory, model: keras.Model, store: Store) -> None:
    """Check that both files reload as stock Keras models that give the same probabilities.

    Args:
        run: Run with both model files.
        model: Model that was saved.
        store: Store whose validation clips are scored.

    Raises:
        RuntimeError: A file does not reload to the same model.
    """
    clips = read_inputs(model, store, store.rows("val")[:4])
    expected = probabilities(model, clips)
    for path in (run.h5, run.keras):
        found = probabilities(_reload(path), clips)
        difference = float(np.abs(found - expected).max())
        if not difference <= AGREEMENT:
            raise RuntimeError(
                f"{path.name} reloads to another model: its probabilities differ by "
                f"{difference:.2g}, at most {AGREEMENT:g} is allowed"
            )


def _reload(path: Path) -> keras.Model:
    if path.suffix != ".h5":
        return keras.models.load_model(path, compile=False)
    with h5py.File(path, locking=False) as file:
        return read_h5(file)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries a result depends on."""
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in VERSIONED
    }


def load_detector(run: RunDirectory, *, untrusted: bool = False) -> tuple[keras.Model, Certificate]:
    """Open a run's ``best_model.h5`` with its certificate.

    Nothing in the file is ever executed: its structure is checked first
    (:func:`artifacts.models.trust.open_model`), and Keras's safe mode stays on.

    Args:
        run: a finished run.
        untrusted: whether the file may be another than the certificate names by SHA-256. The check
            of its structure, inputs and outputs remains.

    Raises:
        UserError: the run has no model yet, or a file is damaged, changed or not allowed.
    """
    certificate = Certificate.read(run)
    expected = certificate.files.h5.sha256
    if not run.h5.is_file():
        raise UserError(f"{run.h5} is missing; run again to export it")
    check_size_on_disk(run.h5)
    found = expected if untrusted else ModelFile.from_path(run.h5).sha256
    if found != expected:
        raise UserError(
            f"{run.h5} is not the file its certificate describes (SHA-256 {found[:12]}, "
            f"expected {expected[:12]}); it was changed or damaged: copy it again, or open it "
            "with --untrusted"
        )
    model = open_model(run.h5)
    _check_contract(model, certificate, run)
    return model, certificate


def _check_contract(model: keras.Model, certificate: Certificate, run: RunDirectory) -> None:
    """Refuse a model whose inputs or outputs differ from its certificate."""
    frames = certificate.input
    expected: list[tuple[str, str, tuple[int, ...]]] = [(frames.name, frames.dtype, frames.shape)]
    expected += [(each.name, each.dtype, each.shape) for each in certificate.other_inputs]
    takes = [(each.name, each.dtype, tuple(each.shape[1:])) for each in model.inputs]
    gives = [tuple(each.shape[1:]) for each in model.outputs]
    if takes != expected or gives != [certificate.output.shape]:
        raise UserError(
            f"{run.h5} takes {takes} and gives {gives}, its certificate has {expected} and "
            f"{[certificate.output.shape]}; it is not a model of this run"
        )
