"""Scores that need no training, which a detector has to stand above.

Each quantity of :mod:`data_prep.preparation.shortcuts` is a score by itself. Which way round is
fixed on the training split of FaceForensics++ alone; what the test clips say of it changes nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from artifacts.metrics.ranking import Scores
from data_prep.store.store import Store


def signs(train: Store) -> dict[str, int]:
    """1 for a quantity that is higher in the fakes of the training split, else -1."""
    rows = train.rows("train")
    labels = train.labels[rows]
    return {
        name: 1 if metrics.roc_auc_score(labels, values[rows]) >= 0.5 else -1
        for name, values in train.shortcuts.items()
    }


def untrained_scores(
    store: Store, rows: npt.NDArray[np.integer], turned: dict[str, int]
) -> dict[str, Scores]:
    """Each quantity of these rows as a score, (len(rows),), higher for fakes.

    Args:
        store: that has the quantities.
        rows: of it.
        turned: from :func:`signs`.
    """
    return {
        name: sign * store.shortcuts[name][rows]
        for name, sign in turned.items()
        if name in store.shortcuts
    }
