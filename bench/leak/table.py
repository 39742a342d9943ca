"""Figures of both splits of ``bench.leak`` and their difference."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from artifacts.metrics.ranking import AUC, AUC_MARGIN, Figure, RankedClips, Scores, compute_figures
from bench.leak.clips import APART, RANDOM, WAYS
from bench.shared.cells import format_figure
from data_prep.store.store import Store


@dataclasses.dataclass(frozen=True)
class SplitComparison:
    """Figures of both splits on one set of clips.

    Attributes:
        name: Name of the set.
        synthetic: Whether the clips are synthetic.
        videos, people: Number of test videos and identity groups.
        trainings: Number of seeds.
        auc: AUC by way of splitting.
        difference: AUC of the random split minus that with people apart.
        seeds: Difference of every seed.
        seconds: Mean duration of a training.
    """

    name: str
    synthetic: bool
    videos: int
    people: int
    trainings: int
    auc: dict[str, Figure]
    difference: Figure
    seeds: list[float]
    seconds: float


def compare_splits(
    name: str,
    store: Store,
    rows: npt.NDArray[np.integer],
    folds: npt.NDArray[np.integer],
    scores: dict[str, Scores],
    seconds: float,
) -> SplitComparison:
    """Return the figures of both splits and their difference.

    Args:
        name: Name of the set.
        store: Store of the clips.
        rows: Test rows, (n,).
        folds: Fold of each test row, (n,).
        scores: Scores by way of splitting, (seeds, n).
        seconds: Mean duration of a training.
    """
    groups = store.groups[rows]
    clips = RankedClips(store.labels[rows], groups, np.full(len(rows), -1), folds=folds)

    def compute(ours: Scores, against: Scores | None = None, *, intervals: bool = True) -> Any:
        return compute_figures(ours, clips, against=against, intervals=intervals)

    return SplitComparison(
        name,
        store.is_synthetic,
        len(rows),
        len(np.unique(groups)),
        len(scores[APART]),
        {way: compute(scores[way])[AUC] for way in WAYS},
        compute(scores[RANDOM], scores[APART])[AUC_MARGIN],
        [
            compute(at_random, apart, intervals=False)[AUC_MARGIN].value
            for at_random, apart in zip(scores[RANDOM], scores[APART], strict=True)
        ],
        seconds,
    )


def build_table(results: Sequence[SplitComparison]) -> Table:
    """Return a table with a row a set."""
    shown = Table(title="AUC of the same clips, network and training under two splits")
    for column in (
        "clips",
        "split at random",
        "people apart",
        "difference (95% CI)",
        "by seed",
        "s",
    ):
        shown.add_column(column)
    for one in results:
        kind = "SYNTHETIC, " if one.synthetic else ""
        shown.add_row(
            f"{kind}{one.name}: {one.videos} videos, {one.people} identity groups",
            *(format_figure(one.auc[way]) for way in WAYS),
            format_figure(one.difference, "+"),
            ", ".join(f"{value:+.2f}" for value in one.seeds),
            f"{one.seconds:.0f}",
        )
    return shown


def describe(one: SplitComparison) -> str:
    """Return a sentence on whether the split significantly changes the AUC."""
    text = f"{one.name}: difference in AUC {one.difference.value:+.2f} from the split alone"
    if one.difference.interval is None:
        return f"{text}, no confidence interval: too few people, or all draws equal."
    low, high = one.difference.interval
    verdict = "significant" if low > 0 or high < 0 else "not significant"
    return f"{text} (95% CI {low:+.2f} to {high:+.2f}), {verdict}."
