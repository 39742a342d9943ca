"""Separation of fakes from reals by baselines without training, with intervals over people."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data_prep.bootstrap import Interval, group_intervals
from data_prep.store.store import FAKE, REAL, Store

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer]
Rows = npt.NDArray[np.bool_]

CODEC = "codec"
FOLDS = 5

# Columns of codecs in the combined separation; a damaged store can name one for each clip.
_MOST_CODECS = 100

# With fewer people of a label a bootstrap draws the same few again and again: its interval would
# be narrow for no reason.
FEWEST_PEOPLE = 5


@dataclasses.dataclass(frozen=True)
class Separation:
    """Separation of the labels by one quantity.

    The AUC uses this quantity alone as the fake score. Its direction is the better one on the
    measured clips, which is optimistic: with few people, a useless quantity has more than 0.5. The
    interval keeps the direction fixed, so it may reach below 0.5. The held-out AUC is not
    optimistic: the direction comes from the training split, the clips from the others. It can be
    below 0.5.

    Attributes:
        name: a name of :data:`data_prep.preparation.shortcuts.QUANTITIES`, or ``codec``.
        real: median of the reals; the most common codec.
        fake: the same of the fakes.
        constant: whether all clips have one value.
        higher_is_fake: the direction; for the codec always True, as it is scored by how often
            clips of a codec are fake.
        auc: AUC on all clips.
        interval: 95%, over identity groups; None with fewer than five people of a label.
        held_out_auc: None unless training has both labels and the other splits together do.
        held_out_interval: interval of the held-out AUC.
    """

    name: str
    real: float | str
    fake: float | str
    constant: bool
    higher_is_fake: bool
    auc: float
    interval: Interval
    held_out_auc: float | None
    held_out_interval: Interval


@dataclasses.dataclass(frozen=True)
class Combined:
    """Separation by all quantities together, on people they were not fitted to.

    Attributes:
        auc: AUC of the out-of-fold scores of all clips; None if it cannot be computed.
        interval: 95%, over identity groups.
        reason: why there is no AUC; empty where there is one.
    """

    auc: float | None
    interval: Interval
    reason: str


def separations(store: Store, seed: int = 0) -> tuple[Separation, ...]:
    """Rank every stored quantity and the codec by separation; needs both labels.

    Real-only clips are left out: they are no negatives of the fakes.

    Args:
        store: store with the clips.
        seed: seed of the bootstrap.
    """
    labelled = ~store.real_only
    train = labelled & (store.splits == "train")
    others = labelled & ~train
    pooled = _oriented(store, labelled)
    aucs, intervals = _judge(store, labelled, pooled, seed)
    held_out: dict[str, float] = {}
    held_out_intervals: dict[str, Interval] = {}
    if _both_labels(store.labels[train]) and _both_labels(store.labels[others]):
        held_out, held_out_intervals = _judge(store, others, _oriented(store, train), seed)
    found = []
    for name, (higher, _) in pooled.items():
        values = store.media[CODEC] if name == CODEC else store.shortcuts[name]
        found.append(
            Separation(
                name=name,
                real=_typical(values[labelled & (store.labels == REAL)]),
                fake=_typical(values[labelled & (store.labels == FAKE)]),
                constant=len(np.unique(values[labelled])) == 1,
                higher_is_fake=higher,
                auc=aucs[name],
                interval=intervals[name],
                held_out_auc=held_out.get(name),
                held_out_interval=held_out_intervals.get(name),
            )
        )
    return tuple(sorted(found, key=lambda quantity: (-quantity.auc, quantity.name)))


def _oriented(store: Store, basis: Rows) -> dict[str, tuple[bool, Scores]]:
    """Return direction and score of every quantity.

    A score is higher for fakes on the basis clips.
    """
    labels = store.labels[basis]
    scores = {}
    for name, values in store.shortcuts.items():
        higher = bool(metrics.roc_auc_score(labels, values[basis]) >= 0.5)
        scores[name] = higher, values if higher else -values
    if CODEC in store.media:
        scores[CODEC] = True, _share_of_fakes(store.media[CODEC], store.labels, basis)
    return scores


def _share_of_fakes(codecs: npt.NDArray[np.str_], labels: Labels, basis: Rows) -> Scores:
    """Return the share of fakes among the basis clips of each clip's codec.

    For a codec without basis clips it is the share among all basis clips.
    """
    shares = np.full(len(codecs), labels[basis].mean(), np.float64)
    for codec in np.unique(codecs[basis]):
        shares[codecs == codec] = labels[basis & (codecs == codec)].mean()
    return shares


def _judge(
    store: Store, rows: Rows, oriented: Mapping[str, tuple[bool, Scores]], seed: int
) -> tuple[dict[str, float], dict[str, Interval]]:
    scores = {name: score[rows] for name, (_, score) in oriented.items()}
    return _aucs_with_intervals(scores, store.labels[rows], store.groups[rows], seed)


def _aucs_with_intervals(
    scores: Mapping[str, Scores], labels: Labels, groups: npt.NDArray[np.str_], seed: int
) -> tuple[dict[str, float], dict[str, Interval]]:
    measure = _WeightedAucs(scores, labels)
    aucs = measure(np.ones(len(labels), np.int64))
    if _people(labels, groups) < FEWEST_PEOPLE:
        return aucs, dict.fromkeys(aucs)
    return aucs, group_intervals(measure, labels, groups, seed)


class _WeightedAucs:
    """AUC of fixed scores under changing whole-number weights of the clips.

    Equal to scikit-learn's on repeated clips; the clips are sorted once, and a bootstrap asks a
    thousand times.
    """

    def __init__(self, scores: Mapping[str, Scores], labels: Labels) -> None:
        self._ranked = {}
        for name, values in scores.items():
            order = np.argsort(-values, kind="stable")
            last_of_ties = np.append(np.flatnonzero(np.diff(values[order])), len(order) - 1)
            self._ranked[name] = order, last_of_ties, (labels == FAKE)[order]

    def __call__(self, weights: npt.NDArray[np.integer]) -> dict[str, float]:
        aucs = {}
        for name, (order, last_of_ties, fake) in self._ranked.items():
            ranked = weights[order]
            hits = np.cumsum(ranked * fake)[last_of_ties]
            false_alarms = np.cumsum(ranked)[last_of_ties] - hits
            heights = hits - np.diff(hits, prepend=0) / 2
            area = heights @ np.diff(false_alarms, prepend=0)
            aucs[name] = float(area / (hits[-1] * false_alarms[-1]))
        return aucs


def combined_separation(store: Store, seed: int = 0) -> Combined:
    """Fit a cross-validated logistic regression on all quantities and the codec.

    The store needs both labels. Real-only clips are left out.

    Five folds of whole identity groups: every clip is scored by a model that has seen no
    other clip of its group.

    Args:
        store: store with the clips.
        seed: seed of the folds and the bootstrap.
    """
    labelled = ~store.real_only
    labels, groups = store.labels[labelled], store.groups[labelled]
    people = _people(labels, groups)
    if people < FEWEST_PEOPLE:
        return Combined(None, None, f"needs {FEWEST_PEOPLE} people of each label, has {people}")
    if not store.shortcuts:
        return Combined(None, None, "the store has no shortcut quantities")
    columns = _columns(store, labelled)
    scores = np.empty(len(labels))
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(columns, labels, groups):
        if not _both_labels(labels[train]):
            return Combined(None, None, "all people of one label are in a single fold")
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        scores[test] = model.fit(columns[train], labels[train]).decision_function(columns[test])
    aucs, intervals = _aucs_with_intervals({"all": scores}, labels, groups, seed)
    return Combined(aucs["all"], intervals["all"], "")


def _columns(store: Store, rows: Rows) -> Scores:
    """Return the quantities, and one column a frequent codec, float64 (clips, columns)."""
    columns = [values[rows] for values in store.shortcuts.values()]
    codecs = store.media.get(CODEC, np.zeros(len(store), np.str_))[rows]
    frequent = collections.Counter(codecs.tolist()).most_common(_MOST_CODECS)
    columns += [(codecs == codec).astype(np.float64) for codec, _ in sorted(frequent)]
    return np.stack(columns, axis=1)


def _people(labels: Labels, groups: npt.NDArray[np.str_]) -> int:
    """Count the identity groups of the label that has fewer."""
    return min(len(set(groups[labels == label])) for label in (REAL, FAKE))


def _both_labels(labels: Labels) -> bool:
    return bool((labels == REAL).any() and (labels == FAKE).any())


def _typical(values: npt.NDArray[Any]) -> float | str:
    if values.dtype.kind == "U":
        return str(collections.Counter(values.tolist()).most_common(1)[0][0])
    return float(np.median(values))
