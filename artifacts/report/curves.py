"""Curves of a detector's scores with bands over people: ROC, precision-recall, calibration."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt

from artifacts.metrics import scores_table
from artifacts.metrics.per_video import ScoredClips, average_by_video, video_names
from data_prep.bootstrap import batch_intervals
from data_prep.errors import UserError
from data_prep.store.store import SPLITS

Floats = npt.NDArray[np.float64]

_GRID = 101
_MOST_BINS, _CLIPS_A_BIN = 10, 6


@dataclasses.dataclass(frozen=True)
class Scored:
    """The scores of one split.

    Attributes:
        keys: str (N,), of the clips.
        clips: clips with their scores, in the same order.
        videos: the same, a video each; most have one clip.
    """

    keys: npt.NDArray[np.str_]
    clips: ScoredClips
    videos: ScoredClips

    @property
    def has_both_labels(self) -> bool:
        """Whether a curve can be drawn."""
        return len(np.unique(self.clips.labels)) == 2


@dataclasses.dataclass(frozen=True)
class Band:
    """A curve and its 95% band, which is NaN where there is none; float64 (G,) each."""

    x: Floats
    y: Floats
    low: Floats
    high: Floats


@dataclasses.dataclass(frozen=True)
class Curves:
    """Curves of scores over all thresholds.

    Attributes:
        roc: share of detected fakes against share of reals called fake; also the basis of a DET
            curve.
        precision: precision against recall.
        calibration: share of fakes against mean probability, in bins with equal numbers of clips.
    """

    roc: Band
    precision: Band
    calibration: Band


def read_scores(path: Path) -> dict[str, Scored]:
    """Read the scores in ``scores.csv``, by split.

    Raises:
        UserError: the file is missing or damaged, or has no split.
    """
    found: dict[str, Scored] = {}
    for split in SPLITS:
        try:
            keys, clips = scores_table.read_scores(path, split)
        except UserError as error:
            why = error
        else:
            found[split] = Scored(keys, clips, average_by_video(clips, video_names(keys)))
    if not found:
        raise why
    return found


def curves(scored: ScoredClips, *, seed: int = 0) -> Curves:
    """Compute curves with percentile bands from draws of whole identity groups.

    One draw gives a value at every point of every curve. A band therefore contains each point with
    95%, not the whole curve. Precision belongs to the highest threshold that reaches the recall.

    Args:
        scored: clips or videos of both labels.
        seed: seed of the draws.
    """
    measure = _Curves(scored)
    point = measure(np.ones((1, len(scored.labels)), np.int64))
    intervals = batch_intervals(measure, scored.labels, scored.groups, seed)

    def band(name: str, x: Floats) -> Band:
        names = [f"{name} {place}" for place in range(len(x))]
        edges = np.array([intervals[name] or (np.nan, np.nan) for name in names])
        return Band(x, np.array([point[name][0] for name in names]), edges[:, 0], edges[:, 1])

    return Curves(
        roc=band("hit", measure.false_alarms),
        precision=band("precision", measure.recalls),
        calibration=band("share", measure.means),
    )


class _Curves:
    """Every point of every curve under changing whole-number weights of the clips."""

    def __init__(self, scored: ScoredClips) -> None:
        order = np.argsort(-scored.probabilities, kind="stable")
        ranked = scored.probabilities[order]
        self._order = order
        self._last_of_ties = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        self._fake = scored.labels == 1
        # Half an error among the reals is the smallest rate that can be measured.
        least = 0.5 / max(int((~self._fake).sum()), 1)
        straight = np.linspace(0, 1, _GRID)
        fine = np.geomspace(min(least, 0.01), 1, _GRID)
        self.false_alarms: Floats = np.unique(np.concatenate([straight, fine, 1 - fine]).clip(0, 1))
        self.recalls: Floats = np.linspace(0, 1, _GRID)[1:]
        bins = max(min(len(ranked) // _CLIPS_A_BIN, _MOST_BINS), 1)
        self._bins = np.array_split(order[::-1], bins)
        self.means: Floats = np.array([scored.probabilities[rows].mean() for rows in self._bins])

    def __call__(self, weights: npt.NDArray[np.integer]) -> dict[str, Floats]:
        """Compute all points, (B,) each; in row b, clip i counts ``weights[b, i]`` times.

        Both labels must count in every row. An empty bin has NaN.
        """
        fakes, reals = weights * self._fake, weights * ~self._fake
        found, alarms = self._counted(fakes), self._counted(reals)
        recall, alarm_rate = found / found[:, -1:], alarms / alarms[:, -1:]
        precision = found / np.maximum(found + alarms, 1)
        rows = range(len(weights))
        # Where the curve is upright, its upper end.
        hits = [np.interp(self.false_alarms, alarm_rate[row], recall[row]) for row in rows]
        reached = [np.searchsorted(recall[row], self.recalls - 1e-12) for row in rows]
        whole = np.stack([weights[:, clips].sum(axis=1) for clips in self._bins], axis=1)
        part = np.stack([fakes[:, clips].sum(axis=1) for clips in self._bins], axis=1)
        values = {
            "hit": np.stack(hits),
            "precision": np.take_along_axis(precision, np.stack(reached), axis=1),
            "share": np.where(whole > 0, part / np.maximum(whole, 1), np.nan),
        }
        return {
            f"{name} {place}": points[:, place]
            for name, points in values.items()
            for place in range(points.shape[1])
        }

    def _counted(self, weights: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """Count the clips with at least each score, from above all scores down."""
        summed = np.cumsum(weights[:, self._order], axis=1)[:, self._last_of_ties]
        return np.pad(summed, ((0, 0), (1, 0)))
