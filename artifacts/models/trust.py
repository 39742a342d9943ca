"""Model files of unknown origin: opened only after their structure was checked.

A ``.h5`` or ``.keras`` file can act like a program: it can name code, other files, or too much
memory. It is therefore checked in parts. The HDF5 inside is copied by a process of its own, with
limits (:mod:`.weights_copy`). The archive must have the form that Keras writes (:mod:`.archive`).
The configuration may name stock layers that compute and nothing else, and must match the weights of
the file (:mod:`.config`). Keras opens only the copy, in safe mode.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import keras

from artifacts.models import archive as model_archive
from artifacts.models import config as model_config
from artifacts.models import weights_copy
from artifacts.models.archive import CONFIG, METADATA, WEIGHTS
from artifacts.models.refusal import RefusalError, first_line
from data_prep.errors import UserError
from data_prep.text import one_line
from spaces.keras_internals import read_h5

LARGEST_FILE = (1 << 31) - 1
_LONGEST_REASON = 400


def check_size_on_disk(path: Path) -> None:
    """Refuse a file that is too large for a model, before any of it is read.

    A file with holes can have any size and take no room.

    Raises:
        UserError: It is too large, no file or not readable, in one line.
    """
    with _refusing(path):
        _check_is_file(path)


def check_model_file(path: Path) -> None:
    """Refuse a model file that could do anything but compute, before anything of it is made.

    Args:
        path: a ``.h5`` or ``.keras`` file.

    Raises:
        UserError: with the reason, in one line.
    """
    with _checked(path):
        pass


def open_model(path: Path) -> keras.Model:
    """Load a model from a file that :func:`check_model_file` accepts.

    Raises:
        UserError: the file is refused or cannot be loaded, with the reason, in one line.
    """
    with _checked(path) as copy, _refusing(path):
        try:
            if copy.suffix == ".h5":
                with h5py.File(copy, locking=False) as file:
                    return read_h5(file)
            return keras.models.load_model(copy, compile=False, safe_mode=True)
        except Exception as error:  # whatever Keras raises on weights in other places
            raise RefusalError(f"cannot be loaded: {first_line(error)}") from None


@contextlib.contextmanager
def _checked(path: Path) -> Iterator[Path]:
    """Yield a copy of the file with its checked content only."""
    with tempfile.TemporaryDirectory(prefix="dfsearch-") as name:
        with _refusing(path):
            _check_is_file(path)
            _check_room(path, name)
            take = {".h5": _take_h5, ".keras": _take_keras}.get(path.suffix)
            if take is None:
                raise RefusalError("is not a model file; expected .h5 or .keras")
            copy = take(path, Path(name))
        yield copy


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except RefusalError as refusal:
        raise UserError(f"{path} {_shown(str(refusal))}; not opened") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None


def _shown(reason: str) -> str:
    """Return a reason as a short line that a terminal shows and does not obey."""
    line = one_line(reason)[:_LONGEST_REASON]
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def _check_is_file(path: Path) -> None:
    # Opening a pipe would wait for its writer; a folder and a device cannot be a model.
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise RefusalError("is not a file")
    if found.st_size > LARGEST_FILE:
        raise RefusalError(f"has {found.st_size} bytes, more than {LARGEST_FILE}")
    # The copying process reports neither missing permission nor a lock.
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusalError(
                "is in use by another process that writes to it; wait until it has finished"
            ) from None
        except OSError:
            # The file system has no locks.
            return


def _check_room(path: Path, folder: str) -> None:
    needed, free = 3 * path.stat().st_size, shutil.disk_usage(folder).free
    if free < needed:
        raise RefusalError(f"is copied to be checked, {folder} has {free} of {needed} bytes free")


def _take_h5(path: Path, folder: Path) -> Path:
    copy = folder / "model.h5"
    _copy_weights(path, copy)
    with h5py.File(copy, "r+", locking=False) as file:
        text = file.attrs.get("model_config")
        shapes = _shapes(file)
        if not isinstance(text, str | bytes):
            raise RefusalError("is not a Keras model file")
        text = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        config = model_config.parse(text)
        # Keras reads the configuration that was checked.
        file.attrs["model_config"] = json.dumps(config)
    model_config.check_size(config, shapes)
    return copy


def _take_keras(path: Path, folder: Path) -> Path:
    members = model_archive.read_members(path)
    config = model_config.parse(members[CONFIG])
    (folder / "given.h5").write_bytes(members.pop(WEIGHTS))
    _copy_weights(folder / "given.h5", folder / WEIGHTS)
    (folder / "given.h5").unlink()
    with h5py.File(folder / WEIGHTS, locking=False) as file:
        model_config.check_size(config, _shapes(file))
    copy = folder / "model.keras"
    with zipfile.ZipFile(copy, "w") as archive:
        archive.writestr(METADATA, members[METADATA])
        archive.writestr(CONFIG, json.dumps(config))
        archive.write(folder / WEIGHTS, WEIGHTS)
    return copy


def _copy_weights(source: Path, target: Path) -> None:
    """Copy an HDF5 file in a process of its own, which it may crash, fill or keep busy."""
    program = [sys.executable, "-P", weights_copy.__file__, str(source), str(target)]
    seconds = weights_copy.SECONDS + source.stat().st_size // weights_copy.BYTES_A_SECOND
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            program,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env=os.environ | one_thread,
        )
    except subprocess.TimeoutExpired:
        raise RefusalError(f"is damaged: reading it took longer than {seconds} s") from None
    if done.returncode == 1 and done.stdout:
        raise RefusalError(done.stdout.decode("utf-8", "surrogateescape"))
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode == 1 and lines:
        raise RefusalError(f"cannot be checked: {lines[-1][:300]}")
    if done.returncode:
        raise RefusalError("is damaged: reading it ended in a crash")


def _shapes(file: h5py.File) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            shapes.append(tuple(item.shape))

    file.visititems(add)
    return shapes
