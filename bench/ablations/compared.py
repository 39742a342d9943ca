"""What one thing brings: the differences of ``bench.ablations``, their tables and sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from rich.table import Table
from scipy.special import expit, logit

from artifacts.metrics.ranking import AUC, AUC_AHEAD, PAIRS, PAIRS_AHEAD, Figure, Scores, figures
from bench.accuracy.table import Judged
from bench.shared.cells import cell

_LEAST = 1e-7


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two detectors that differ in one thing.

    Attributes:
        question: the thing.
        ours: the detector that has it.
        theirs: the one that has it not.
    """

    question: str
    ours: str
    theirs: str


@dataclasses.dataclass(frozen=True)
class Difference:
    """What the thing brings on some clips.

    Attributes:
        comparison: which.
        ours, theirs: the figures of both detectors.
        ahead: by ``auc`` and, where fakes lie beside their originals, ``pairs``: ours less theirs,
            with an interval over people and trainings where there are people enough.
        seeds: the AUC of ours less theirs of every seed.
        methods: AUC ahead on each method's fakes.
    """

    comparison: Comparison
    ours: dict[str, Figure]
    theirs: dict[str, Figure]
    ahead: dict[str, Figure]
    seeds: dict[int, float]
    methods: dict[str, Figure]


def joined(clips: Judged, names: Sequence[str]) -> dict[int, Scores]:
    """Scores of several detectors as one, by seed: the mean of their logits.

    Args:
        clips: that all of them scored, with probabilities.
        names: of the detectors; a seed that one of them lacks is left out.
    """
    of_seeds = [clips.trained.get(name, {}) for name in names]
    seeds = set(of_seeds[0]).intersection(*of_seeds)
    stacked = {seed: np.stack([scores[seed] for scores in of_seeds]) for seed in sorted(seeds)}
    return {
        seed: expit(logit(scores.clip(_LEAST, 1 - _LEAST)).mean(axis=0))
        for seed, scores in stacked.items()
    }


def difference(clips: Judged, comparison: Comparison) -> Difference | None:
    """What a comparison gives on some clips; None where a detector has not scored them.

    Of both detectors the seeds that both have are compared.
    """
    ours, theirs = (clips.trained.get(name, {}) for name in (comparison.ours, comparison.theirs))
    seeds = sorted(set(ours) & set(theirs))
    if not seeds:
        return None
    stacked = [np.stack([scores[seed] for seed in seeds]) for scores in (ours, theirs)]
    found = _figures(clips, *stacked)
    by_method = {}
    known = np.unique(clips.methods[clips.labels == 1]).tolist()
    for method in known if len(known) > 1 else []:
        shown = (clips.labels == 0) | (clips.methods == method)
        part = _figures(clips, *(scores[:, shown] for scores in stacked), shown=shown)
        by_method[method] = part[AUC_AHEAD]
    return Difference(
        comparison,
        {name: found[name] for name in (AUC, PAIRS) if name in found},
        _figures(clips, stacked[1]),
        {
            name: found[key]
            for name, key in ((AUC, AUC_AHEAD), (PAIRS, PAIRS_AHEAD))
            if key in found
        },
        {seed: _auc_ahead(clips, ours[seed], theirs[seed]) for seed in seeds},
        by_method,
    )


def _figures(
    clips: Judged,
    ours: Scores,
    theirs: Scores | None = None,
    *,
    shown: Scores | None = None,
    intervals: bool = True,
) -> dict[str, Figure]:
    """Figures of all clips, or of some without their pairs."""
    rows = slice(None) if shown is None else shown
    labels = clips.labels[rows]
    return figures(
        ours,
        labels,
        clips.groups[rows],
        clips.sources if shown is None else np.full(len(labels), -1),
        against=theirs,
        folds=clips.folds[rows],
        videos=clips.videos[rows],
        intervals=intervals,
    )


def _auc_ahead(clips: Judged, ours: Scores, theirs: Scores) -> float:
    return _figures(clips, ours, theirs, intervals=False)[AUC_AHEAD].value


def table(title: str, found: Sequence[Difference]) -> Table:
    """A line a comparison."""
    shown = Table(title=title, title_justify="left")
    columns = ("what", "with", "without", "AUC ahead", "of each seed", "pair ranking ahead")
    for column in columns:
        shown.add_column(column)
    for one in found:
        shown.add_row(
            one.comparison.question,
            cell(one.ours[AUC]),
            cell(one.theirs[AUC]),
            cell(one.ahead[AUC], "+"),
            ", ".join(f"{value:+.2f}" for value in one.seeds.values()),
            cell(one.ahead.get(PAIRS), "+"),
        )
    return shown


def methods_table(title: str, found: Sequence[Difference]) -> Table | None:
    """AUC ahead on each method's fakes; None where there is one method alone."""
    methods = sorted({method for one in found for method in one.methods})
    if not methods:
        return None
    shown = Table(title=f"{title}: AUC ahead by method", title_justify="left")
    for column in ("what", *methods):
        shown.add_column(column)
    for one in found:
        cells = [cell(one.methods.get(method), "+") for method in methods]
        shown.add_row(one.comparison.question, *cells)
    return shown


def sentence(one: Difference) -> str:
    """Whether the thing helps, harms or cannot be told from nothing, by AUC."""
    ahead = one.ahead[AUC]
    said = f"{one.comparison.question}: {ahead.value:+.2f}"
    if ahead.interval is None:
        return f"{said}, without an interval: too few people to say anything."
    low, high = ahead.interval
    verdict = "helps" if low > 0 else "harms" if high < 0 else "not told from nothing"
    return f"{said}, interval {low:+.2f} to {high:+.2f}: {verdict}."
