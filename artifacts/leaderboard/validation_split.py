"""Validation clips of a run for its leaderboard, and the scores of its models on them.

A run stores both, so that intervals, ties and baselines need no access to its store.
"""

from __future__ import annotations

import dataclasses
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from artifacts.leaderboard.ties import aucs
from artifacts.run_directory import RunDirectory, replace_file
from data_prep.arrays import read_npy, read_npz
from data_prep.errors import UserError
from data_prep.store.store import Store

Scores: TypeAlias = "npt.NDArray[np.float64]"

SCORES = "validation.npy"
"""File in the folder of a trial: float32 (N,) probabilities of the validation clips."""

# Exceptions of reading a damaged file of arrays.
_DAMAGE = (
    *(OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, MemoryError),
    *(RecursionError, SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A quantity of :data:`data_prep.preparation.shortcuts.QUANTITIES` as a score.

    Attributes:
        quantity: Name of the quantity.
        higher_is_fake: Direction, taken from the training split.
        scores: float64 (N,) scores of the validation clips, higher for fakes.
    """

    quantity: str
    higher_is_fake: bool
    scores: Scores


@dataclasses.dataclass(frozen=True)
class ValidationSplit:
    """The N validation clips in the order of the store.

    Attributes:
        labels: uint8 (N,), 1 is fake; both labels occur.
        groups: str (N,), identity group of each clip.
        baselines: Every quantity of the store that is not constant.
    """

    labels: npt.NDArray[np.uint8]
    groups: npt.NDArray[np.str_]
    baselines: tuple[Baseline, ...]

    @staticmethod
    def from_store(store: Store) -> ValidationSplit:
        """Return the split of an open store with both labels in training and validation."""
        train, val = store.rows("train"), store.rows("val")
        untrained = []
        for name, values in store.shortcuts.items():
            if np.ptp(values[train]) == 0 and np.ptp(values[val]) == 0:
                continue
            higher = bool(aucs(values[None, train], store.labels[train])[0] >= 0.5)
            untrained.append(Baseline(name, higher, values[val] if higher else -values[val]))
        return ValidationSplit(store.labels[val], store.groups[val], tuple(untrained))

    def write(self, run: RunDirectory) -> None:
        """Write ``validation.npz``, whole or not at all."""
        with replace_file(run.validation) as temporary:
            np.savez_compressed(
                temporary,
                label=self.labels,
                group=self.groups.astype(np.str_),
                quantity=np.array([one.quantity for one in self.baselines], np.str_),
                higher_is_fake=np.array([one.higher_is_fake for one in self.baselines], bool),
                score=np.array([one.scores for one in self.baselines]).reshape(
                    -1, len(self.labels)
                ),
            )

    @staticmethod
    def read(run: RunDirectory) -> ValidationSplit:
        """Return the split that a run stored, else read it from the run's store.

        Raises:
            UserError: Neither exists.
        """
        try:
            return ValidationSplit._checked(read_npz(run.validation))
        except _DAMAGE:
            return ValidationSplit._from_store_of_run(run)

    @staticmethod
    def _checked(held: Mapping[str, npt.NDArray[Any]]) -> ValidationSplit:
        labels, groups, scores = held["label"], held["group"], held["score"]
        names, higher = held["quantity"], held["higher_is_fake"]
        shapes = labels.ndim == 1, groups.shape == labels.shape, names.shape == higher.shape
        if not all(shapes) or scores.shape != (len(names), len(labels)):
            raise ValueError("its arrays differ in length")
        if set(labels.tolist()) != {0, 1} or not np.isfinite(scores).all():
            raise ValueError("its values are out of range")
        rows = zip(names, higher, scores, strict=True)
        untrained = tuple(Baseline(str(name), bool(up), row) for name, up, row in rows)
        return ValidationSplit(labels.astype(np.uint8), groups.astype(np.str_), untrained)

    @staticmethod
    def _from_store_of_run(run: RunDirectory) -> ValidationSplit:
        with Store(_store_of(run)) as store:
            if store.fingerprint != run.read_fingerprint():
                raise UserError(f"{store.path} is not the store that {run.root} was searched on")
            try:
                return ValidationSplit.from_store(store)
            except ValueError as error:
                raise UserError(f"{store.path}: {error}") from None


def write_scores(folder: Path, probabilities: npt.NDArray[np.floating]) -> None:
    """Write the validation scores of a model to the folder of its trial."""
    with replace_file(folder / SCORES) as temporary:
        np.save(temporary, probabilities.astype(np.float32), allow_pickle=False)


def read_scores(folder: Path, count: int) -> Scores | None:
    """Return the scores of the ``count`` validation clips; None if they were not stored."""
    try:
        scores = read_npy(folder / SCORES).astype(np.float64)
    except _DAMAGE:
        return None
    return scores if scores.shape == (count,) and np.isfinite(scores).all() else None


def _store_of(run: RunDirectory) -> Path:
    """Return the path of the store of a run; relative paths start at the run directory."""
    store = run.setting("store")
    if not isinstance(store, str):
        raise UserError(f"{run.config} names no store")
    return run.root / store
