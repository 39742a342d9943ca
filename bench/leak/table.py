"""What ``bench.leak`` says: the figures of both splits, and what the leaking one makes up."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from artifacts.metrics.ranking import AUC, AUC_AHEAD, Figure, Scores, figures
from bench.leak.clips import APART, RANDOM, WAYS
from bench.shared.cells import cell
from data_prep.store.store import Store


@dataclasses.dataclass(frozen=True)
class Measured:
    """What both splits say of one set of clips.

    Attributes:
        name: of the set.
        synthetic: whether it was drawn.
        videos, people: how many of them are tested.
        trainings: seeds.
        auc: by way of splitting.
        ahead: the AUC at random less that with people apart.
        seeds: the same of every seed.
        seconds: a training, the mean.
    """

    name: str
    synthetic: bool
    videos: int
    people: int
    trainings: int
    auc: dict[str, Figure]
    ahead: Figure
    seeds: list[float]
    seconds: float


def measured(
    name: str,
    store: Store,
    rows: npt.NDArray[np.integer],
    folds: npt.NDArray[np.integer],
    scores: dict[str, Scores],
    seconds: float,
) -> Measured:
    """Figures of both ways and of their difference.

    Args:
        name: of the set.
        store: of the clips.
        rows: (n,), the tested ones.
        folds: (n,), of each.
        scores: by way, (seeds, n).
        seconds: a training.
    """
    labels, groups = store.labels[rows], store.groups[rows]
    unpaired = np.full(len(rows), -1)

    def told(ours: Scores, against: Scores | None = None, *, intervals: bool = True) -> Any:
        return figures(
            ours, labels, groups, unpaired, against=against, folds=folds, intervals=intervals
        )

    return Measured(
        name,
        store.is_synthetic,
        len(rows),
        len(np.unique(groups)),
        len(scores[APART]),
        {way: told(scores[way])[AUC] for way in WAYS},
        told(scores[RANDOM], scores[APART])[AUC_AHEAD],
        [
            told(at_random, apart, intervals=False)[AUC_AHEAD].value
            for at_random, apart in zip(scores[RANDOM], scores[APART], strict=True)
        ],
        seconds,
    )


def table(results: Sequence[Measured]) -> Table:
    """A line a set."""
    shown = Table(title="the same clips, network and training under two splits: AUC")
    for column in ("clips", "split at random", "people apart", "made up", "each seed", "s"):
        shown.add_column(column)
    for one in results:
        kind = "SYNTHETIC, " if one.synthetic else ""
        shown.add_row(
            f"{kind}{one.name}: {one.videos} videos, {one.people} groups of people",
            *(cell(one.auc[way]) for way in WAYS),
            cell(one.ahead, "+"),
            ", ".join(f"{value:+.2f}" for value in one.seeds),
            f"{one.seconds:.0f}",
        )
    return shown


def sentence(one: Measured) -> str:
    """What the difference of one set says."""
    said = f"{one.name}: {one.ahead.value:+.2f} by the split alone"
    if one.ahead.interval is None:
        return f"{said}, without an interval: too few people, or all draws alike."
    low, high = one.ahead.interval
    told = "told from nothing" if low > 0 or high < 0 else "not told from nothing"
    return f"{said}, interval {low:+.2f} to {high:+.2f}: {told}."
