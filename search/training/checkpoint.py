"""The state of a training after an epoch, kept so that an interrupted trial goes on from there."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from artifacts.run_directory import replacing

Arrays = list[npt.NDArray[Any]]

_HELD = ("variables", "optimizer", "best")
_TOLD = "told"


@dataclasses.dataclass(frozen=True)
class TrainingState:
    """Everything a training needs to go on as though it had never stopped.

    Attributes:
        variables: of what is trained, and may change.
        optimizer: its variables: steps, moments, averages.
        best: as ``variables``, at the best epoch.
        told: plain values: epochs, scores.
    """

    variables: Arrays
    optimizer: Arrays
    best: Arrays
    told: dict[str, Any]


def changing(model: keras.Model) -> list[keras.Variable]:
    """The variables that training may change, in the order of the model.

    Weights of frozen layers are left out, and with them most of a pretrained network; states of
    random layers are in.
    """
    frozen = {
        id(variable)
        for layer in model._flatten_layers()
        if not layer.trainable
        for variable in layer.weights
    }
    return [variable for variable in model.variables if id(variable) not in frozen]


def values(variables: Sequence[keras.Variable]) -> Arrays:
    """What variables hold, copied."""
    return [np.array(variable.numpy()) for variable in variables]


def assign(variables: Sequence[keras.Variable], held: Arrays) -> None:
    """Give variables what :func:`values` had of them."""
    for variable, value in zip(variables, held, strict=True):
        variable.assign(value)


def save(path: Path, state: TrainingState) -> None:
    """Write a state whole or not at all, in the place of an earlier one."""
    arrays: dict[str, Any] = {_TOLD: np.array(json.dumps(state.told))}
    for name in _HELD:
        arrays |= {f"{name}{number}": array for number, array in enumerate(getattr(state, name))}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load(path: Path) -> TrainingState | None:
    """Read a state; ``None`` where there is none, or it is damaged: the training starts anew."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {
                name: [file[f"{name}{number}"] for number in range(_count(file, name))]
                for name in _HELD
            }
            return TrainingState(**arrays, told=json.loads(str(file[_TOLD])))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _count(file: Any, name: str) -> int:
    return sum(key.startswith(name) for key in file.files)
