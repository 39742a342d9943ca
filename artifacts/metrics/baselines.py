"""Baselines without training, and the margin of a detector over the best of them.

Each quantity of :mod:`data_prep.preparation.shortcuts`, such as sharpness, crop size or file size,
is a score by itself. Its direction is fixed on clips that are not tested, if there are any.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from artifacts.metrics.per_video import video_names
from artifacts.metrics.ranking import (
    AUC,
    AUC_MARGIN,
    PAIRS,
    PAIRS_MARGIN,
    RankedClips,
    Scores,
    compute_figures,
    find_originals,
)
from data_prep.store.store import Store


@dataclasses.dataclass(frozen=True)
class Orientation:
    """Direction in which each quantity separates fakes from reals.

    Attributes:
        signs: By name, 1 if fakes have more of it, -1 if they have less.
        clips: Clips on which the directions were found, in words.
    """

    signs: Mapping[str, int]
    clips: str


@dataclasses.dataclass(frozen=True)
class BaselineComparison:
    """A detector and the best baseline on the same clips.

    The baseline is selected on these very clips, which favours it: with few clips, one of twenty
    quantities separates them by chance. So a positive margin is conservative. Intervals are over
    identity groups, differences are computed within each draw; None with fewer than five groups of
    a label.

    Attributes:
        name: Name of the quantity.
        higher_is_fake: Its direction.
        oriented_on: Clips on which the direction was found.
        auc, auc_ci: AUC of the quantity.
        margin, margin_ci: Margin: AUC of the detector minus that of the quantity.
        pairs: Number of pairs of a fake and its original.
        pair_ranking, pair_ranking_ci: Pair ranking of the detector.
        untrained_pair_ranking: Pair ranking of the quantity.
        pair_margin, pair_margin_ci: Margin in pair ranking.
    """

    name: str
    higher_is_fake: bool
    oriented_on: str
    auc: float
    auc_ci: tuple[float, float] | None
    margin: float
    margin_ci: tuple[float, float] | None
    pairs: int = 0
    pair_ranking: float | None = None
    pair_ranking_ci: tuple[float, float] | None = None
    untrained_pair_ranking: float | None = None
    pair_margin: float | None = None
    pair_margin_ci: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


def find_orientation(store: Store, rows: npt.NDArray[np.integer], clips: str) -> Orientation | None:
    """Return the direction of every quantity on some clips; None with a single label.

    Args:
        store: Store of the quantities.
        rows: Rows of the clips.
        clips: Description of the clips.
    """
    labels = store.labels[rows]
    if len(np.unique(labels)) < 2:
        return None
    signs = {
        name: 1 if metrics.roc_auc_score(labels, values[rows]) >= 0.5 else -1
        for name, values in store.shortcuts.items()
    }
    return Orientation(signs, clips)


def compare_with_baseline(
    probabilities: Scores,
    store: Store,
    rows: npt.NDArray[np.integer],
    directions: Orientation | None,
    seed: int = 0,
) -> BaselineComparison | None:
    """Compare a detector's scores of some clips with the best quantity of the store.

    Args:
        probabilities: (n,) fake probabilities of the rows.
        store: Store with both labels among the rows.
        rows: (n,) rows of the clips.
        directions: Directions of the quantities; None if unknown.
        seed: Seed of the bootstrap.

    Returns:
        None if the store has no quantity with a known direction.
    """
    known = {} if directions is None else directions.signs
    scores = {
        name: known[name] * values[rows]
        for name, values in store.shortcuts.items()
        if name in known
    }
    if directions is None or not scores:
        return None
    return compare_scores(
        probabilities,
        scores,
        directions,
        RankedClips(
            store.labels[rows],
            store.groups[rows],
            find_originals(store.keys[rows], store.crop_sources[rows]),
            videos=video_names(store.keys[rows], store.paths[rows]),
        ),
        seed,
    )


def compare_scores(
    probabilities: Scores,
    untrained: Mapping[str, Scores],
    directions: Orientation,
    clips: RankedClips,
    seed: int = 0,
) -> BaselineComparison:
    """Compare a detector's scores with the best baseline on the same clips, (n,) each.

    Args:
        probabilities: Scores of the detector.
        untrained: Scores of at least one baseline by name, higher for fakes.
        directions: Directions of the baselines.
        clips: Clips of these scores.
        seed: Seed of the bootstrap.
    """
    aucs = {name: metrics.roc_auc_score(clips.labels, values) for name, values in untrained.items()}
    name = max(aucs, key=lambda quantity: (aucs[quantity], quantity))
    best = untrained[name]
    ours = compute_figures(probabilities, clips, against=best, seed=seed)
    theirs = compute_figures(best, clips, seed=seed)
    found = BaselineComparison(
        name=name,
        higher_is_fake=directions.signs[name] > 0,
        oriented_on=directions.clips,
        auc=theirs[AUC].value,
        auc_ci=theirs[AUC].interval,
        margin=ours[AUC_MARGIN].value,
        margin_ci=ours[AUC_MARGIN].interval,
    )
    if PAIRS not in ours:
        return found
    return dataclasses.replace(
        found,
        pairs=int((clips.sources >= 0).sum()),
        pair_ranking=ours[PAIRS].value,
        pair_ranking_ci=ours[PAIRS].interval,
        untrained_pair_ranking=theirs[PAIRS].value,
        pair_margin=ours[PAIRS_MARGIN].value,
        pair_margin_ci=ours[PAIRS_MARGIN].interval,
    )
