"""Evaluation on matched pairs: a fake and its original, made equally sharp."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from sklearn import metrics

from artifacts.evaluation.matching import match_pair, pairs_among
from artifacts.evaluation.request import SHARPNESS
from artifacts.metrics.baselines import Orientation, compare_scores
from artifacts.metrics.metrics import rename_margins
from artifacts.metrics.per_video import video_names
from artifacts.metrics.ranking import (
    AUC,
    AUC_MARGIN,
    PAIRS,
    PAIRS_MARGIN,
    Figure,
    RankedClips,
    Scores,
    compute_figures,
)
from artifacts.models.inference import score_arrays
from data_prep.bootstrap import Interval
from data_prep.errors import UserError
from data_prep.store.clip_reader import ClipReader
from data_prep.store.store import Clip, Store

_PAIRS_AT_ONCE = 4


@dataclasses.dataclass(frozen=True)
class MatchedPairs:
    """Figures of matched pairs; a real occurs once for each of its fakes.

    Intervals are over identity groups; None with fewer than five groups of a label.

    Attributes:
        quantity: Quantity in which the pairs are equal.
        pairs: Number of pairs.
        left_out: Keys of fakes whose pair cannot be matched, because one of both is flat.
        quantity_auc, quantity_auc_as_they_are: AUC of the quantity alone, matched and original, in
            its known direction, else in the better direction on the original clips.
        auc, auc_ci: AUC of the matched clips.
        pair_ranking, pair_ranking_ci: Pair ranking of the matched clips.
        auc_as_they_are, pair_ranking_as_they_are: The same of the original clips.
        auc_gain, auc_gain_ci, pair_ranking_gain, pair_ranking_gain_ci: Matched minus original. A
            loss was evidence in the quantity, or in detail that the blur removes.
        recall, false_alarm_rate: At the frozen threshold.
        by_method: For each method: pairs, auc against all reals, auc_ci.
        untrained: Comparison with the best baseline on the matched clips.
    """

    quantity: str
    pairs: int
    left_out: tuple[str, ...]
    quantity_auc: float | None
    quantity_auc_as_they_are: float | None
    auc: float
    auc_ci: Interval
    pair_ranking: float
    pair_ranking_ci: Interval
    auc_as_they_are: float
    pair_ranking_as_they_are: float
    auc_gain: float
    auc_gain_ci: Interval
    pair_ranking_gain: float
    pair_ranking_gain_ci: Interval
    recall: float
    false_alarm_rate: float
    by_method: dict[str, dict[str, Any]]
    untrained: dict[str, Any] | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "untrained", rename_margins(self.untrained))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Both clips of every matched pair, fake first: rows of the store, scores, quantities."""

    rows: npt.NDArray[np.int64]
    scores: Scores
    shortcuts: dict[str, Scores]
    left_out: tuple[str, ...]


def evaluate_matched(
    model: keras.Model,
    store: Store,
    rows: npt.NDArray[np.int64],
    as_they_are: Scores,
    *,
    threshold: float,
    directions: Orientation | None,
    mirror: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> MatchedPairs:
    """Make every pair among the rows equally sharp and score it.

    Args:
        model: Detector.
        store: Store of the clips.
        rows: (n,) rows of the clips.
        as_they_are: (n,) scores of the original clips.
        threshold: Threshold frozen on validation.
        directions: Directions of the baselines.
        mirror: As in :func:`artifacts.models.inference.score_clips`.
        seed: Seed of the bootstraps.
        progress: Called with the number of pairs done and the total.

    Raises:
        UserError: The rows hold no pair, or none can be made equally sharp.
    """
    pairs = pairs_among(store, rows)
    found = _score_pairs(model, store, pairs, mirror, progress)
    if not len(found.rows):
        raise UserError(
            f"{store.path}: none of {len(pairs)} pairs can be made equally sharp, because one clip "
            "of each pair is almost flat"
        )
    ours = found.rows
    labels, groups, methods = store.labels[ours], store.groups[ours], store.methods[ours]
    # A fake comes before its real.
    sources = np.where(labels == 1, np.arange(len(ours)) + 1, -1)
    videos = video_names(store.keys[ours], store.paths[ours])
    position = {int(row): at for at, row in enumerate(rows)}
    before = as_they_are[[position[int(row)] for row in ours]]
    clips = RankedClips(labels, groups, sources, videos=videos)
    by_method = dataclasses.replace(clips, methods=methods)
    figures = compute_figures(found.scores, by_method, against=before, seed=seed)
    then = compute_figures(before, clips, intervals=False)
    alone = _of_quantity(found, store, labels, directions)
    called = found.scores >= threshold
    return MatchedPairs(
        quantity=SHARPNESS,
        pairs=len(ours) // 2,
        left_out=found.left_out,
        quantity_auc=alone[0],
        quantity_auc_as_they_are=alone[1],
        auc=figures[AUC].value,
        auc_ci=figures[AUC].interval,
        pair_ranking=figures[PAIRS].value,
        pair_ranking_ci=figures[PAIRS].interval,
        auc_as_they_are=then[AUC].value,
        pair_ranking_as_they_are=then[PAIRS].value,
        auc_gain=figures[AUC_MARGIN].value,
        auc_gain_ci=figures[AUC_MARGIN].interval,
        pair_ranking_gain=figures[PAIRS_MARGIN].value,
        pair_ranking_gain_ci=figures[PAIRS_MARGIN].interval,
        recall=float(called[labels == 1].mean()),
        false_alarm_rate=float(called[labels == 0].mean()),
        by_method=_by_method(figures, methods[labels == 1]),
        untrained=_beside(found, directions, clips, seed),
    )


def _score_pairs(
    model: keras.Model,
    store: Store,
    pairs: list[tuple[int, int]],
    mirror: bool,
    progress: Callable[[int, int], None],
) -> _Rows:
    read = ClipReader(store)
    rows: list[int] = []
    scores: list[npt.NDArray[np.floating]] = []
    quantities: list[dict[str, float]] = []
    left_out = []
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        clips: list[Clip] = []
        for fake_row, real_row in pairs[start : start + _PAIRS_AT_ONCE]:
            matched = match_pair(read(fake_row), read(real_row))
            if matched is None:
                left_out.append(str(store.keys[fake_row]))
                continue
            clips += matched
            rows += [fake_row, real_row]
        if clips:
            scores.append(score_arrays(model, _arrays(clips), mirror=mirror))
            quantities += [dict(clip.shortcuts) for clip in clips]
        progress(min(start + _PAIRS_AT_ONCE, len(pairs)), len(pairs))
    return _Rows(
        np.array(rows, np.int64),
        np.concatenate(scores).astype(np.float64) if scores else np.zeros(0),
        {name: np.array([one[name] for one in quantities]) for name in store.shortcuts},
        tuple(left_out),
    )


def _arrays(clips: list[Clip]) -> dict[str, npt.NDArray[Any]]:
    arrays = {"frames": np.stack([clip.frames for clip in clips])}
    for name in clips[0].modalities:
        arrays[name] = np.stack([clip.modalities[name] for clip in clips])
    return arrays


def _of_quantity(
    found: _Rows, store: Store, labels: npt.NDArray[np.integer], directions: Orientation | None
) -> tuple[float | None, float | None]:
    """Return the AUC of the quantity alone on matched and original clips; None if not stored."""
    if SHARPNESS not in store.shortcuts:
        return None, None
    before = metrics.roc_auc_score(labels, store.shortcuts[SHARPNESS][found.rows])
    after = metrics.roc_auc_score(labels, found.shortcuts[SHARPNESS])
    known = None if directions is None else directions.signs.get(SHARPNESS)
    if (known or (1 if before >= 0.5 else -1)) > 0:
        return float(after), float(before)
    return float(1 - after), float(1 - before)


def _by_method(
    figures: dict[str, Figure], methods: npt.NDArray[np.str_]
) -> dict[str, dict[str, Any]]:
    return {
        method: {
            "pairs": int((methods == method).sum()),
            "auc": figures[f"auc of {method}"].value,
            "auc_ci": figures[f"auc of {method}"].interval,
        }
        for method in np.unique(methods).tolist()
    }


def _beside(
    found: _Rows,
    directions: Orientation | None,
    clips: RankedClips,
    seed: int,
) -> dict[str, Any] | None:
    known = {} if directions is None else directions.signs
    scores = {
        name: known[name] * values for name, values in found.shortcuts.items() if name in known
    }
    if directions is None or not scores:
        return None
    return compare_scores(found.scores, scores, directions, clips, seed).to_json()
