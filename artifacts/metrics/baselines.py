"""Scores that need no training, and how far a detector is ahead of the best of them.

Each quantity of :mod:`data_prep.preparation.shortcuts` - sharpness, crop size, size of the file -
is a score
by itself. Which way round it tells fakes is fixed on clips that are not tested, wherever there are
any.
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
    AUC_AHEAD,
    PAIRS,
    PAIRS_AHEAD,
    RankedClips,
    Scores,
    compute_figures,
    source_places,
)
from data_prep.store.store import Store


@dataclasses.dataclass(frozen=True)
class Orientation:
    """Which way round each quantity tells fakes.

    Attributes:
        signs: by name, 1 where fakes have more of it, -1 where they have less.
        clips: on which that was found, in words.
    """

    signs: Mapping[str, int]
    clips: str


@dataclasses.dataclass(frozen=True)
class BaselineComparison:
    """A detector beside the best score without training, on the same clips.

    The best is the one that is best on these very clips, which is more than the detector is given:
    of twenty quantities one is right by chance where there are few clips, so being ahead of it says
    the more. Intervals are of identity groups, differences taken within each draw; None with fewer
    than five groups of a label.

    Attributes:
        name: of the quantity.
        higher_is_fake: the direction it is used in.
        oriented_on: which clips the direction is from.
        auc, auc_ci: of the quantity.
        ahead, ahead_ci: AUC of the detector less that.
        pairs: fakes beside the very real they were made from.
        pair_ranking, pair_ranking_ci: how often the detector scores the fake of a pair higher.
        untrained_pair_ranking: how often the quantity does.
        pair_ahead, pair_ahead_ci: the difference.
    """

    name: str
    higher_is_fake: bool
    oriented_on: str
    auc: float
    auc_ci: tuple[float, float] | None
    ahead: float
    ahead_ci: tuple[float, float] | None
    pairs: int = 0
    pair_ranking: float | None = None
    pair_ranking_ci: tuple[float, float] | None = None
    untrained_pair_ranking: float | None = None
    pair_ahead: float | None = None
    pair_ahead_ci: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def find_orientation(store: Store, rows: npt.NDArray[np.integer], clips: str) -> Orientation | None:
    """The direction of every quantity of a store on some of its clips; None of one label alone.

    Args:
        store: whose quantities.
        rows: of the clips.
        clips: which these are, in words.
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
    """A detector's scores of some clips beside the best quantity of these.

    Args:
        probabilities: (n,), of the rows.
        store: of both labels among the rows.
        rows: (n,), which clips.
        directions: of the quantities; None where they are not known.
        seed: of the bootstrap.

    Returns:
        None where the store has no quantity with a known direction.
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
            source_places(store.keys[rows], store.crop_sources[rows]),
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
    """A detector's scores beside the best of others of the same clips, (n,) each.

    Args:
        probabilities: of the detector.
        untrained: by name, higher for fakes, at least one.
        directions: how they were turned.
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
        ahead=ours[AUC_AHEAD].value,
        ahead_ci=ours[AUC_AHEAD].interval,
    )
    if PAIRS not in ours:
        return found
    return dataclasses.replace(
        found,
        pairs=int((clips.sources >= 0).sum()),
        pair_ranking=ours[PAIRS].value,
        pair_ranking_ci=ours[PAIRS].interval,
        untrained_pair_ranking=theirs[PAIRS].value,
        pair_ahead=ours[PAIRS_AHEAD].value,
        pair_ahead_ci=ours[PAIRS_AHEAD].interval,
    )
