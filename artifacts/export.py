"""Model files: what is written, and how it is opened again without running anyone's code."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from artifacts.certificate import Certificate, ModelFile
from artifacts.evaluation import Calibration
from artifacts.run_directory import RunDirectory, replacing
from data_prep.errors import UserError

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


STOCK_MODULES = {
    "keras.layers": keras.layers,
    "keras.initializers": keras.initializers,
    "keras.regularizers": keras.regularizers,
    "keras.constraints": keras.constraints,
}
# They run a stored program or read a file that the configuration names.
UNSAFE_LAYERS = frozenset(
    {
        "FlaxLayer",
        "IntegerLookup",
        "JaxLayer",
        "Lambda",
        "StringLookup",
        "TFSMLayer",
        "TextVectorization",
        "TorchModuleWrapper",
    }
)


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
    """The model as it is used: float32 throughout, and nothing in it that only training needs.

    A model trained in mixed precision is the same function of the same float32 weights, computed
    more exactly; constraints on weights have done their work.
    """
    copy = type(model).from_config(_plain(model.get_config()))
    copy.set_weights(model.get_weights())
    return copy


def _plain(config: Any) -> Any:
    """A serialised model without constraints and with one dtype policy."""
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
        with replacing(path) as temporary:
            inference.save(temporary, include_optimizer=False)


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries a result depends on."""
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in VERSIONED
    }


def load_detector(run: RunDirectory) -> tuple[keras.Model, Certificate]:
    """Open a run's ``best_model.h5`` with its certificate.

    The file must be the one the certificate names, by SHA-256, and may hold stock Keras layers
    only; Keras's safe mode stays on. Nothing in the file is ever executed.

    Raises:
        UserError: the run has no model yet, or a file is damaged, changed or not allowed.
    """
    certificate = Certificate.read(run)
    expected = certificate.files.h5.sha256
    if not run.h5.is_file():
        raise UserError(f"{run.h5} is missing; run again to export it")
    found = ModelFile.of(run.h5).sha256
    if found != expected:
        raise UserError(
            f"{run.h5} is not the file its certificate describes (SHA-256 {found[:12]}, "
            f"expected {expected[:12]}); it was changed or damaged"
        )
    check_stock_layers(run.h5)
    try:
        model = keras.models.load_model(run.h5, compile=False, safe_mode=True)
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise UserError(f"{run.h5} cannot be loaded: {lines[0]}") from error
    return model, certificate


def check_stock_layers(path: Path) -> None:
    """Refuse an ``.h5`` that holds anything but stock Keras layers, before Keras sees it.

    Raises:
        UserError: no model inside, a Lambda, or a class from outside ``keras``.
    """
    try:
        with h5py.File(path, "r") as file:
            entries = list(_serialised_objects(json.loads(file.attrs["model_config"])))
    except (OSError, KeyError, ValueError, TypeError, RecursionError):
        entries = []
    if not entries:
        raise UserError(f"{path} is not a Keras model file")
    for entry in entries:
        if not _is_stock(entry):
            name = ".".join(filter(None, [entry.get("module"), entry["class_name"]]))
            raise UserError(f"{path} holds {name}, not a stock Keras layer; not opened")


def _is_stock(entry: dict[str, Any]) -> bool:
    """Whether a serialised object is one that a model of this project may be made of."""
    name, module = entry["class_name"], entry.get("module")
    if entry.get("registered_name") or name in UNSAFE_LAYERS:
        return False
    if module is None and name in ("Functional", "__keras_tensor__"):
        return True
    if module == "keras":
        return bool(name == "DTypePolicy")
    home = STOCK_MODULES.get(module or "keras.layers")
    return isinstance(getattr(home, name, None), type)


def _serialised_objects(config: Any) -> Iterator[dict[str, Any]]:
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config
        for value in config.values():
            yield from _serialised_objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _serialised_objects(value)
