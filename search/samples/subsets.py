"""Fewer clips in early epochs, so that what is given up early has cost a fraction.

The other fidelity beside epochs: see Klein et al., Fast Bayesian Optimization of Machine Learning
Hyperparameters on Large Datasets, 2017.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import numpy.typing as npt

from search.samples.samples import Samples

_FIRST, _SECOND = 0.25, 0.5


def shown_share(epoch: int, epochs: int) -> float:
    """Which share of the samples an epoch shows: a quarter, a half, all, a third of them each.

    Args:
        epoch: from 0.
        epochs: of the training; the last shows all, always.
    """
    if epoch < epochs // 3:
        return _FIRST
    return _SECOND if epoch < 2 * epochs // 3 else 1.0


def nested_subset(samples: Samples, part: float) -> npt.NDArray[np.bool_]:
    """Which samples belong to a share of them: bool (n,).

    Of every label and method there is the same share, rounded up, with as many identity groups in
    it as there can be: a second sample of a group comes after the first of every other. The order
    follows from names alone, so a smaller share is part of a larger one in every trial, and of a
    person there are the real and the fakes.

    Args:
        samples: of a training.
        part: 0 to 1.
    """
    if part >= 1:
        return np.ones(len(samples), bool)
    place = _ranked_in(samples.groups, samples.sources, samples.labels, samples.methods)
    chosen = np.zeros(len(samples), bool)
    for label, method in sorted(set(zip(samples.labels.tolist(), samples.methods, strict=True))):
        ours = np.flatnonzero((samples.labels == label) & (samples.methods == method))
        turn = np.argsort(place[ours], kind="stable")
        chosen[ours[turn[: math.ceil(part * len(ours))]]] = True
    return chosen


def _ranked_in(
    groups: npt.NDArray[np.str_],
    sources: npt.NDArray[np.str_],
    labels: npt.NDArray[np.uint8],
    methods: npt.NDArray[np.str_],
) -> npt.NDArray[np.float64]:
    """A sort key of every sample: its turn within its group, then the group."""
    names = [
        f"{label}/{method}/{group}"
        for label, method, group in zip(labels, methods, groups, strict=True)
    ]
    order = np.lexsort((_hashed_numbers(sources), np.array(names)))
    turns = np.empty(len(names), np.int64)
    before, turn = "", 0
    for place in order:
        turn = turn + 1 if names[place] == before else 0
        before = names[place]
        turns[place] = turn
    drawn: npt.NDArray[np.float64] = turns + _hashed_numbers(groups)
    return drawn


def _hashed_numbers(names: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """A number in 0..1 for every name, the same everywhere."""
    unique, place = np.unique(names, return_inverse=True)
    numbers = [
        int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:6], "big") / 2**48
        for name in unique
    ]
    return np.array(numbers)[place]
