"""Comparisons of two detectors for ``bench.ablations``, their tables and sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from rich.table import Table
from scipy.special import expit, logit

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
from bench.accuracy.table import ScoredClips
from bench.shared.cells import format_figure

_LEAST = 1e-7


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two detectors that differ in one part.

    Attributes:
        question: Name of the part.
        ours: Detector with the part.
        theirs: Detector without it.
    """

    question: str
    ours: str
    theirs: str


@dataclasses.dataclass(frozen=True)
class Effect:
    """Effect of a part on a set of clips.

    Attributes:
        comparison: The two detectors.
        ours, theirs: Figures of both detectors.
        difference: Ours minus theirs, for ``auc`` and, if fakes have their originals, ``pairs``.
            The interval is over people and trainings; ``None`` if there are too few people.
        seeds: Difference in AUC of each seed.
        methods: Difference in AUC on the fakes of each method.
    """

    comparison: Comparison
    ours: dict[str, Figure]
    theirs: dict[str, Figure]
    difference: dict[str, Figure]
    seeds: dict[int, float]
    methods: dict[str, Figure]


def average_logits(clips: ScoredClips, names: Sequence[str]) -> dict[int, Scores]:
    """Return the scores of several detectors as one, by seed: the mean of their logits.

    Args:
        clips: Clips scored with probabilities.
        names: Detectors; only seeds that all of them have are returned.
    """
    of_seeds = [clips.trained.get(name, {}) for name in names]
    seeds = set(of_seeds[0]).intersection(*of_seeds)
    stacked = {seed: np.stack([scores[seed] for scores in of_seeds]) for seed in sorted(seeds)}
    return {
        seed: expit(logit(scores.clip(_LEAST, 1 - _LEAST)).mean(axis=0))
        for seed, scores in stacked.items()
    }


def compare(clips: ScoredClips, comparison: Comparison) -> Effect | None:
    """Return the effect of a part, over the seeds that both detectors have.

    ``None`` if they share no seed.
    """
    ours, theirs = (clips.trained.get(name, {}) for name in (comparison.ours, comparison.theirs))
    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        return None
    stacked = [np.stack([scores[seed] for seed in seeds]) for scores in (ours, theirs)]
    found = _compute_figures(clips, *stacked)
    by_method = {}
    known = np.unique(clips.methods[clips.labels == 1]).tolist()
    for method in known if len(known) > 1 else []:
        shown = (clips.labels == 0) | (clips.methods == method)
        part = _compute_figures(clips, *(scores[:, shown] for scores in stacked), shown=shown)
        by_method[method] = part[AUC_MARGIN]
    return Effect(
        comparison,
        {name: found[name] for name in (AUC, PAIRS) if name in found},
        _compute_figures(clips, stacked[1]),
        {
            name: found[key]
            for name, key in ((AUC, AUC_MARGIN), (PAIRS, PAIRS_MARGIN))
            if key in found
        },
        {seed: _compare_auc(clips, ours[seed], theirs[seed]) for seed in seeds},
        by_method,
    )


def _compute_figures(
    clips: ScoredClips,
    ours: Scores,
    theirs: Scores | None = None,
    *,
    shown: Scores | None = None,
    intervals: bool = True,
) -> dict[str, Figure]:
    """Return figures of all clips, or of selected clips without pairs."""
    rows = slice(None) if shown is None else shown
    labels = clips.labels[rows]
    ranked = RankedClips(
        labels,
        clips.groups[rows],
        clips.sources if shown is None else np.full(len(labels), -1),
        folds=clips.folds[rows],
        videos=clips.videos[rows],
    )
    return compute_figures(ours, ranked, against=theirs, intervals=intervals)


def _compare_auc(clips: ScoredClips, ours: Scores, theirs: Scores) -> float:
    return _compute_figures(clips, ours, theirs, intervals=False)[AUC_MARGIN].value


def build_table(title: str, found: Sequence[Effect]) -> Table:
    """Return a table with a row a comparison."""
    shown = Table(title=title, title_justify="left")
    columns = (
        *("part", "AUC with", "AUC without", "difference in AUC (95% CI)"),
        *("difference by seed", "difference in pair ranking (95% CI)"),
    )
    for column in columns:
        shown.add_column(column)
    for one in found:
        shown.add_row(
            one.comparison.question,
            format_figure(one.ours[AUC]),
            format_figure(one.theirs[AUC]),
            format_figure(one.difference[AUC], "+"),
            ", ".join(f"{value:+.2f}" for value in one.seeds.values()),
            format_figure(one.difference.get(PAIRS), "+"),
        )
    return shown


def build_methods_table(title: str, found: Sequence[Effect]) -> Table | None:
    """Return the differences in AUC by method; ``None`` if no clips have two methods."""
    methods = sorted({method for one in found for method in one.methods})
    if not methods:
        return None
    shown = Table(title=f"{title}: difference in AUC by method (95% CI)", title_justify="left")
    for column in ("part", *methods):
        shown.add_column(column)
    for one in found:
        cells = [format_figure(one.methods.get(method), "+") for method in methods]
        shown.add_row(one.comparison.question, *cells)
    return shown


def describe(one: Effect) -> str:
    """Return a sentence on whether the part significantly raises or lowers the AUC."""
    difference = one.difference[AUC]
    text = f"{one.comparison.question}: difference in AUC {difference.value:+.2f}"
    if difference.interval is None:
        return f"{text}, no confidence interval: too few people."
    low, high = difference.interval
    if low > 0:
        verdict = "significantly better"
    elif high < 0:
        verdict = "significantly worse"
    else:
        verdict = "not significant"
    return f"{text} (95% CI {low:+.2f} to {high:+.2f}), {verdict}."
