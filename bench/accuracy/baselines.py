"""Baseline scores without training.

Each quantity of :mod:`data_prep.preparation.shortcuts` is a score by itself. Its sign is chosen on
the training split, never on test clips.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from artifacts.metrics.ranking import Scores
from data_prep.store.store import Store


def find_signs(train: Store) -> dict[str, int]:
    """Return 1 for each quantity that is higher in the training fakes, else -1."""
    rows = train.rows("train")
    labels = train.labels[rows]
    return {
        name: 1 if metrics.roc_auc_score(labels, values[rows]) >= 0.5 else -1
        for name, values in train.shortcuts.items()
    }


def compute_scores(
    store: Store, rows: npt.NDArray[np.integer], signs: dict[str, int]
) -> dict[str, Scores]:
    """Return each quantity of these rows as a score, (len(rows),), higher for fakes.

    Args:
        store: Store with the quantities.
        rows: Rows to score.
        signs: Signs from :func:`find_signs`.
    """
    return {
        name: sign * store.shortcuts[name][rows]
        for name, sign in signs.items()
        if name in store.shortcuts
    }
