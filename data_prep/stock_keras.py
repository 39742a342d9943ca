"""Keras on TensorFlow with its stock settings, whatever the user's own Keras is set to."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from data_prep.errors import UserError
from data_prep.quiet import silent_stderr

_CONFIG = "keras.src.backend.config"
# Replaces Keras by the package tf_keras inside TensorFlow.
_LEGACY = "TF_USE_LEGACY_KERAS"


def keras_environment() -> dict[str, str]:
    """Return the variables of this process, changed so that Keras starts with stock settings.

    ``KERAS_HOME`` is the folder of ``keras.json``; it names a place without one.
    """
    others = {name: value for name, value in os.environ.items() if not _is_setting(name)}
    return others | {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.devnull}


@contextlib.contextmanager
def stock_keras() -> Iterator[None]:
    """Import Keras and TensorFlow inside the block: silently, and Keras with stock settings.

    Keras reads ``KERAS_*`` and ``keras.json`` once, when it is imported. Another backend, order of
    channels or limit of epochs in them would break models or change results. Only the folder of
    downloaded weights remains the user's. If the process has imported Keras before, its settings
    stay.

    Raises:
        UserError: The process has imported Keras with another backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" in sys.modules:
        _check_backend()
        with _silence():
            yield
        return
    home = _keras_home()
    with _settings(keras_environment()), _silence():
        yield
    if _CONFIG in sys.modules:
        vars(sys.modules[_CONFIG])["_KERAS_DIR"] = home


def _check_backend() -> None:
    backend = sys.modules["keras"].config.backend()
    if backend != "tensorflow":
        raise UserError(
            f"this process has imported Keras with the {backend} backend, and detectors need "
            "TensorFlow: set KERAS_BACKEND=tensorflow before Keras is imported, or use another "
            "process"
        )


def _is_setting(name: str) -> bool:
    return name.startswith("KERAS_") or name == _LEGACY


def _keras_home() -> str:
    """Return the folder that Keras would use for downloaded weights."""
    if "KERAS_HOME" in os.environ:
        return os.environ["KERAS_HOME"]
    home = Path("~").expanduser()
    return str((home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras")


@contextlib.contextmanager
def _settings(wanted: dict[str, str]) -> Iterator[None]:
    """Set the variables that Keras reads, and restore them after the block."""
    before = {name: value for name, value in os.environ.items() if _is_setting(name)}
    for name in before:
        del os.environ[name]
    os.environ.update({name: value for name, value in wanted.items() if _is_setting(name)})
    try:
        yield
    finally:
        for name in filter(_is_setting, list(os.environ)):
            del os.environ[name]
        os.environ.update(before)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Suppress what libraries write at their import; a warning must not become an exception."""
    with silent_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
