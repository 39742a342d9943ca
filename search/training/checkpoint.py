"""Checkpoints: the state of a training after an epoch, from which a retry resumes."""

from __future__ import annotations

import dataclasses
import json
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from artifacts.run_directory import replace_file
from spaces.keras_internals import nested_layers

Arrays = list[npt.NDArray[Any]]

LEAST_SECONDS = 1.0
"""Shortest time between two checkpoints: a shorter part is as quickly trained again."""
MOST_SHARE = 0.02
"""Largest share of the training time that checkpoints may take."""

_ARRAYS = ("variables", "optimizer", "best")
_FACTS = "facts"


@dataclasses.dataclass(frozen=True)
class TrainingState:
    """State from which a training resumes as if it had never stopped.

    Attributes:
        variables: Values of the variables that training may change.
        optimizer: Variables of the optimizer: steps, moments, averages.
        best: Values like ``variables``, at the best epoch.
        facts: Plain values: epochs, scores.
    """

    variables: Arrays
    optimizer: Arrays
    best: Arrays
    facts: dict[str, Any]


class CheckpointFile:
    """File that holds the latest state of one training.

    Args:
        path: The file; ``None`` keeps no checkpoint.
        key: Text that identifies the training; the checkpoint of another training is not loaded.
    """

    def __init__(self, path: Path | None, key: str) -> None:
        self._path = path
        self._key = key
        self._saved_at = time.monotonic()
        self._seconds = 0.0

    def load(self) -> TrainingState | None:
        """Return the state of this training; ``None`` where there is none."""
        state = None if self._path is None else load(self._path)
        return state if state is not None and state.facts.get("key") == self._key else None

    @property
    def is_due(self) -> bool:
        """Whether the last save is long enough ago that saving takes a small share of the time."""
        since = time.monotonic() - self._saved_at
        return self._path is not None and since >= max(LEAST_SECONDS, self._seconds / MOST_SHARE)

    def save(self, state: TrainingState) -> None:
        """Write a state."""
        assert self._path is not None
        started = time.monotonic()
        save(self._path, dataclasses.replace(state, facts={"key": self._key, **state.facts}))
        self._saved_at = time.monotonic()
        self._seconds = self._saved_at - started


def changing_variables(model: keras.Model) -> list[keras.Variable]:
    """Return the variables that training may change, in the order of the model.

    Weights of frozen layers are excluded, and with them most of a pretrained network; states of
    random layers are included.
    """
    frozen = {
        id(variable)
        for layer in nested_layers(model)
        if not layer.trainable
        for variable in layer.weights
    }
    return [variable for variable in model.variables if id(variable) not in frozen]


def copy_values(variables: Sequence[keras.Variable]) -> Arrays:
    """Return copies of the values of variables."""
    return [np.array(variable.numpy()) for variable in variables]


def assign_values(variables: Sequence[keras.Variable], values: Arrays) -> None:
    """Assign the values of :func:`copy_values` to variables."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def save(path: Path, state: TrainingState) -> None:
    """Write a state completely or not at all, and replace an earlier one."""
    arrays: dict[str, Any] = {_FACTS: np.array(json.dumps(state.facts))}
    for name in _ARRAYS:
        arrays |= {f"{name}{number}": array for number, array in enumerate(getattr(state, name))}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load(path: Path) -> TrainingState | None:
    """Return the state in a file; ``None`` if the file is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {
                name: [file[f"{name}{number}"] for number in range(_count(file, name))]
                for name in _ARRAYS
            }
            return TrainingState(**arrays, facts=json.loads(str(file[_FACTS])))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _count(file: Any, name: str) -> int:
    return sum(key.startswith(name) for key in file.files)
