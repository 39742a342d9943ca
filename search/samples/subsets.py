"""Subsets of the samples for early epochs, so that a pruned trial costs less.

The second fidelity besides epochs: see Klein et al., Fast Bayesian Optimization of Machine
Learning Hyperparameters on Large Datasets, 2017.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt

from search.samples.samples import Samples

_FIRST, _SECOND = 0.25, 0.5


def shown_share(epoch: int, epochs: int) -> float:
    """Return the share of the samples that an epoch shows.

    A quarter in the first third of the epochs, a half in the second, all in the last.

    Args:
        epoch: From 0.
        epochs: Epochs of the training; the last one always shows all samples.
    """
    if epoch < epochs // 3:
        return _FIRST
    return _SECOND if epoch < 2 * epochs // 3 else 1.0


def nested_subset(samples: Samples, part: float) -> npt.NDArray[np.bool_]:
    """Return which samples belong to a subset of a given share: bool (n,).

    Every label and method has the same share, rounded up, with many identity groups: a second
    sample of a group comes after the first of every other. The order follows from names alone. So a
    smaller subset is part of a larger one in every trial, and includes the real and the fake clips
    of the same people.

    Args:
        samples: Samples of a training.
        part: Share, 0 to 1.
    """
    if part >= 1:
        return np.ones(len(samples), bool)
    rank = _ranked_in(samples.groups, samples.sources, samples.labels, samples.methods)
    chosen = np.zeros(len(samples), bool)
    for label, method in sorted(set(zip(samples.labels.tolist(), samples.methods, strict=True))):
        ours = np.flatnonzero((samples.labels == label) & (samples.methods == method))
        turn = np.argsort(rank[ours], kind="stable")
        chosen[ours[turn[: math.ceil(part * len(ours))]]] = True
    return chosen


def _ranked_in(
    groups: npt.NDArray[np.str_],
    sources: npt.NDArray[np.str_],
    labels: npt.NDArray[np.uint8],
    methods: npt.NDArray[np.str_],
) -> npt.NDArray[np.float64]:
    """Return a sort key of every sample: its turn within its group, then the group."""
    names = [
        f"{label}/{method}/{group}"
        for label, method, group in zip(labels, methods, groups, strict=True)
    ]
    order = np.lexsort((_hashed_numbers(sources), np.array(names)))
    turns = np.empty(len(names), np.int64)
    before, turn = "", 0
    for sample in order:
        turn = turn + 1 if names[sample] == before else 0
        before = names[sample]
        turns[sample] = turn
    keys: npt.NDArray[np.float64] = turns + _hashed_numbers(groups)
    return keys


def _hashed_numbers(names: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """Return a number in 0..1 for every name, the same in every process."""
    unique, index = np.unique(names, return_inverse=True)
    numbers = [
        int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:6], "big") / 2**48
        for name in unique
    ]
    return np.array(numbers)[index]
