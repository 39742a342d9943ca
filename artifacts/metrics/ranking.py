"""AUC and pair ranking of scores, with intervals and differences."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from artifacts.metrics.bounds import independent_pairs, widen_interval
from data_prep.audit.separation import FEWEST_PEOPLE
from data_prep.bootstrap import Interval, group_intervals

Scores: TypeAlias = "npt.NDArray[np.float64]"
Indices: TypeAlias = "npt.NDArray[np.int64]"

AUC, PAIRS = "auc", "pairs"
AUC_MARGIN, PAIRS_MARGIN = "auc margin", "pairs margin"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A value and its 95% interval.

    Attributes:
        value: Mean over the trainings.
        interval: Percentile bootstrap over identity groups and trainings; None with fewer than
            five groups of a label, for which a bootstrap is too narrow. If all draws agree, it is
            an exact bound, or None for a difference (:mod:`artifacts.metrics.bounds`).
    """

    value: float
    interval: Interval = None


def find_originals(
    keys: npt.NDArray[np.str_], crop_sources: npt.NDArray[np.str_]
) -> npt.NDArray[np.int64]:
    """Return the index of each fake's original among these clips, int64 (N,).

    It is -1 for reals, and for fakes whose original is unknown or not among the clips.

    Args:
        keys: (N,) keys of the clips.
        crop_sources: (N,) key of each fake's original, from the store.
    """
    position = {str(key): at for at, key in enumerate(keys)}
    return np.array([position.get(str(source), -1) for source in crop_sources], np.int64)


def pair_ranking(
    scores: Scores, sources: Indices, videos: npt.NDArray[np.str_] | None = None
) -> float | None:
    """Return the share of fakes that score above their own original; ties count half.

    It is the mean over source videos of the share of their fakes, so every source video counts
    equally. Both clips of a pair show the same person and scene with the same codec. This figure
    therefore depends least on anything except the manipulation.

    Args:
        scores: (N,), higher for fakes.
        sources: Result of :func:`find_originals`.
        videos: (N,) video of each clip, if one occurs more than once, as in matched pairs.

    Returns:
        0 to 1; None without a pair.
    """
    found = _wins_of_videos(scores, sources, _numbered(videos, len(sources)))
    return None if not found else float(np.mean([np.mean(wins) for wins in found.values()]))


@dataclasses.dataclass(frozen=True)
class RankedClips:
    """Clips whose scores are compared; arrays of (N,).

    Attributes:
        labels: 1 is fake; both labels occur.
        groups: Identity group.
        sources: Result of :func:`find_originals`.
        methods: Manipulation method; None where it is unknown.
        folds: Fold whose detector scored the clip; None with one detector. Every identity group
            lies in one fold.
        videos: Video of the clip, where a video occurs more than once, as in matched pairs; None
            where each clip has its own.
    """

    labels: npt.NDArray[np.integer]
    groups: npt.NDArray[np.str_]
    sources: Indices
    methods: npt.NDArray[np.str_] | None = None
    folds: npt.NDArray[np.integer] | None = None
    videos: npt.NDArray[np.str_] | None = None


def compute_figures(
    scores: Scores,
    clips: RankedClips,
    *,
    against: Scores | None = None,
    intervals: bool = True,
    seed: int = 0,
) -> dict[str, Figure]:
    """Return AUC and pair ranking of scored clips, and their difference from other scores.

    Every draw of the bootstrap takes whole identity groups. With several trainings it also draws
    trainings with repetition. A difference is computed within each draw, on the same people. With
    folds, the AUC compares clips of one fold only, each fold weighted by its comparisons.

    Args:
        scores: (N,) or (trainings, N), higher for fakes, finite.
        clips: Clips of these scores. With methods, ``auc of METHOD`` against all reals is added.
        against: (N,) or (trainings, N) scores to compare with, such as a baseline; adds
            ``auc margin`` and ``pairs margin``, the differences of ``scores`` from them.
        intervals: Whether to compute intervals, which takes a thousand times as long.
        seed: Seed of the bootstrap.

    Returns:
        Figures by name: ``auc``, with pairs also ``pairs``, and the others asked for.

    Raises:
        ValueError: A score is not finite, or a label is missing.
    """
    labels = clips.labels
    ours = np.atleast_2d(np.asarray(scores, np.float64))
    theirs = None if against is None else np.atleast_2d(np.asarray(against, np.float64))
    for values in (ours, *([] if theirs is None else [theirs])):
        if values.shape[1] != len(labels) or not np.isfinite(values).all():
            raise ValueError(f"scores must be finite, one a clip. Received: {values.shape}")
    if len(np.unique(labels)) < 2:
        raise ValueError("figures need real and fake clips. Received: one label")
    known = _Clips.number(clips)
    drawn = seed if intervals else None
    found = _compared(_Auc, AUC, AUC_MARGIN, ours, theirs, known, drawn)
    paired = known.in_pairs()
    if paired.any():
        # People without a pair are not drawn.
        rivals = None if theirs is None else theirs[:, paired]
        chosen = ours[:, paired]
        found |= _compared(_Pairs, PAIRS, PAIRS_MARGIN, chosen, rivals, known.select(paired), drawn)
    methods = clips.methods
    for method in [] if methods is None else np.unique(methods[labels == 1]).tolist():
        rows = (labels == 0) | ((methods == method) & (labels == 1))
        of_method = _compared(_Auc, AUC, AUC_MARGIN, ours[:, rows], None, known.select(rows), drawn)
        found[f"auc of {method}"] = of_method[AUC]
    return found


@dataclasses.dataclass(frozen=True)
class _Clips:
    """Ranked clips with a number for every fold and video."""

    labels: npt.NDArray[np.integer]
    groups: npt.NDArray[np.str_]
    sources: Indices
    folds: npt.NDArray[np.integer]
    videos: Indices

    @staticmethod
    def number(clips: RankedClips) -> _Clips:
        """Return the clips with numbers, one fold and a video each by default."""
        count = len(clips.labels)
        folds = np.zeros(count, np.int64) if clips.folds is None else clips.folds
        videos = _numbered(clips.videos, count)
        return _Clips(clips.labels, clips.groups, clips.sources, folds, videos)

    def in_pairs(self) -> npt.NDArray[np.bool_]:
        """Return which clips are fakes with an original among the clips, or such an original."""
        inside: npt.NDArray[np.bool_] = self.sources >= 0
        inside[self.sources[inside]] = True
        return inside

    def select(self, rows: npt.NDArray[np.bool_]) -> _Clips:
        """Return some of the clips."""
        positions = np.cumsum(rows) - 1
        kept = (self.sources >= 0) & rows[self.sources]
        sources = np.where(kept, positions[self.sources], -1)
        return _Clips(
            self.labels[rows],
            self.groups[rows],
            sources[rows],
            self.folds[rows],
            self.videos[rows],
        )

    def independent(self, figure: str) -> int:
        """Return the number of independent people, or pairs of people, of a figure."""
        if figure == PAIRS:
            return len(np.unique(self.groups))
        folds = [self.folds == fold for fold in np.unique(self.folds)]
        return sum(independent_pairs(self.labels[fold], self.groups[fold]) for fold in folds)

    def people(self) -> int:
        """Return the number of groups of the rarer label."""
        return min(len(np.unique(self.groups[self.labels == label])) for label in (0, 1))


class _Auc:
    """AUC of several trainings under weights of groups, from sums over pairs of groups."""

    def __init__(self, scores: Scores, clips: _Clips) -> None:
        _, first, person = np.unique(clips.groups, return_index=True, return_inverse=True)
        people, fake, real = len(first), clips.labels == 1, clips.labels == 0
        fakes = np.bincount(person[fake], minlength=people)
        reals = np.bincount(person[real], minlength=people)
        folds = clips.folds[first]
        self._alike = folds[:, None] == folds
        self._pairs = self._alike * np.outer(fakes, reals)
        self._wins = np.zeros((len(scores), people, people))
        reals_of = [np.flatnonzero(real & (person == one)) for one in range(people)]
        for training, values in enumerate(scores):
            for one, rows in enumerate(reals_of):
                if not len(rows):
                    continue
                ordered = np.sort(values[rows])
                below = np.searchsorted(ordered, values[fake], "left")
                upto = np.searchsorted(ordered, values[fake], "right")
                won = np.bincount(person[fake], (below + upto) / 2, minlength=people)
                self._wins[training, :, one] = won * self._alike[:, one]

    def __call__(self, weights: npt.NDArray[np.integer]) -> Scores:
        """Return the figure of every training for so many copies of each group."""
        won: Scores = np.einsum("sij,i,j->s", self._wins, weights, weights)
        return won / (weights @ self._pairs @ weights)


class _Pairs:
    """Pair ranking of several trainings under weights of groups, from sums over groups."""

    def __init__(self, scores: Scores, clips: _Clips) -> None:
        _, first, person = np.unique(clips.groups, return_index=True, return_inverse=True)
        people, sources = len(first), clips.sources
        self._wins = np.zeros((len(scores), people))
        self._count = np.zeros(people, np.int64)
        person_of = dict(zip(clips.videos.tolist(), person.tolist(), strict=True))
        for training, values in enumerate(scores):
            found = _wins_of_videos(values, sources, clips.videos)
            for video, wins in found.items():
                self._wins[training, person_of[video]] += np.mean(wins)
        np.add.at(self._count, [person_of[video] for video in found], 1)

    def __call__(self, weights: npt.NDArray[np.integer]) -> Scores:
        """Return the figure of every training for so many copies of each group."""
        found: Scores = self._wins @ weights / (weights @ self._count)
        return found


def _compared(
    kind: type[_Auc] | type[_Pairs],
    name: str,
    margin: str,
    ours: Scores,
    theirs: Scores | None,
    clips: _Clips,
    seed: int | None,
) -> dict[str, Figure]:
    """Return one figure and its difference from the other scores, with intervals if seeded."""
    measures: dict[str, Callable[[npt.NDArray[np.integer]], Scores]] = {
        side: kind(scores, clips)
        for side, scores in (("ours", ours), ("theirs", theirs))
        if scores is not None
    }
    _, first = np.unique(clips.groups, return_index=True)
    rng = np.random.default_rng(seed)

    def values(weights: npt.NDArray[np.integer], *, draw: bool) -> dict[str, float]:
        means = {}
        for side, measure in measures.items():
            found = measure(weights[first])
            picked = rng.integers(len(found), size=len(found)) if draw else slice(None)
            means[side] = float(found[picked].mean())
        result = {name: means["ours"]}
        if "theirs" in means:
            result[margin] = means["ours"] - means["theirs"]
        return result

    point = values(np.ones(len(clips.labels), np.int64), draw=False)
    intervals: dict[str, Interval] = dict.fromkeys(point)
    if seed is not None and clips.people() >= FEWEST_PEOPLE:
        drawn = partial(values, draw=True)
        intervals = group_intervals(drawn, clips.labels, clips.groups, seed)
    people = {name: clips.independent(name)}
    return {
        key: Figure(value, widen_interval(intervals[key], value, people.get(key, 0)))
        for key, value in point.items()
    }


def _numbered(videos: npt.NDArray[np.str_] | None, count: int) -> Indices:
    """Return a number for every video; without names every clip is its own video."""
    if videos is None:
        return np.arange(count)
    return np.unique(videos, return_inverse=True)[1].astype(np.int64)


def _wins_of_videos(scores: Scores, sources: Indices, videos: Indices) -> dict[int, list[float]]:
    """Return for every source video 1 for each fake above it, 1/2 for a tie, 0 below."""
    found: dict[int, list[float]] = {}
    for fake in np.flatnonzero(sources >= 0).tolist():
        source = int(sources[fake])
        apart = float(np.sign(scores[fake] - scores[source]))
        found.setdefault(int(videos[source]), []).append((apart + 1) / 2)
    return found
