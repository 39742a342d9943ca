"""Figures of ``bench.accuracy``, their tables and their summary sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.table import Table

from artifacts.metrics.ranking import (
    AUC,
    AUC_MARGIN,
    PAIRS,
    PAIRS_MARGIN,
    Figure,
    RankedClips,
    Scores,
    compute_figures,
    find_originals,
)
from bench.accuracy import people
from bench.accuracy.baselines import compute_scores, find_signs
from bench.shared.cells import format_figure
from data_prep.store.store import Store

CLIPS, MATCHED = KINDS = "clips", "matched pairs"
BASELINE = "baseline "
SHOWN_BASELINES = 3
"""Number of baselines in a table, by AUC; the best by pair ranking is added."""


@dataclasses.dataclass(frozen=True)
class ScoredClips:
    """The clips of a test set, plain or matched, with every score of them.

    Attributes:
        title: Name in the table.
        labels, groups, sources, methods, folds, videos: (N,), as in
            :class:`artifacts.metrics.ranking.RankedClips`.
        baselines: Scores without training, (N,) each, by name.
        trained: Scores (N,) of each detector, by name and seed.
        synthetic: Whether the clips are synthetic.
    """

    title: str
    labels: npt.NDArray[np.integer]
    groups: npt.NDArray[np.str_]
    sources: npt.NDArray[np.int64]
    methods: npt.NDArray[np.str_]
    folds: npt.NDArray[np.integer]
    videos: npt.NDArray[np.str_]
    baselines: dict[str, Scores]
    trained: dict[str, dict[int, Scores]]
    synthetic: bool

    @property
    def size(self) -> str:
        """Number of clips, pairs and identity groups, as text."""
        reals, fakes = int((self.labels == 0).sum()), int((self.labels == 1).sum())
        groups = len(np.unique(self.groups))
        return (
            f"{reals} real, {fakes} fake, {int((self.sources >= 0).sum())} of them with their "
            f"original, {groups} identity {'group' if groups == 1 else 'groups'}"
            + (", SYNTHETIC" if self.synthetic else "")
        )


def read_scored_clips(
    title: str, path: Path, train: Path, trained: Mapping[str, Mapping[int, Sequence[float]]]
) -> ScoredClips:
    """Return the test clips of a store with every score.

    Args:
        title: Name in the table.
        path: Store.
        train: Store that determines the signs of the baselines.
        trained: Scores by detector and seed.
    """
    with Store(train) as store:
        signs = find_signs(store)
    with Store(path) as store:
        rows, _ = people.select_test_rows(store)
        return ScoredClips(
            title,
            store.labels[rows],
            people.list_groups(store, rows),
            find_originals(store.keys[rows], store.crop_sources[rows]),
            store.methods[rows],
            np.zeros(len(rows), np.int64),
            store.paths[rows],
            compute_scores(store, rows, signs),
            {
                name: {seed: np.array(scores) for seed, scores in of_seeds.items()}
                for name, of_seeds in trained.items()
            },
            store.is_synthetic,
        )


def pool(title: str, parts: Sequence[ScoredClips], *, apart: bool = False) -> ScoredClips:
    """Return several test sets as one, with the trainings that scored all of them.

    Args:
        title: Name in the table.
        parts: Test sets, at least one.
        apart: Whether each part was scored by its own detector.
    """
    sizes = [len(part.labels) for part in parts]
    starts = np.cumsum([0, *sizes[:-1]])
    sources = [
        np.where(part.sources >= 0, part.sources + start, -1)
        for part, start in zip(parts, starts, strict=True)
    ]
    first = parts[0]
    quantities = [name for name in first.baselines if all(name in p.baselines for p in parts)]
    trained = {
        name: {
            seed: np.concatenate([part.trained[name][seed] for part in parts])
            for seed in of_seeds
            if all(seed in part.trained.get(name, ()) for part in parts)
        }
        for name, of_seeds in first.trained.items()
    }
    return ScoredClips(
        title,
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.groups for part in parts]),
        np.concatenate(sources),
        np.concatenate([part.methods for part in parts]),
        np.repeat(np.arange(len(parts)) if apart else 0, sizes if apart else sum(sizes)),
        np.concatenate([part.videos for part in parts]),
        {name: np.concatenate([part.baselines[name] for part in parts]) for name in quantities},
        {name: of_seeds for name, of_seeds in trained.items() if of_seeds},
        any(part.synthetic for part in parts),
    )


Results = dict[str, dict[str, Figure]]
"""Figures of a test set, by the name of the score and of the figure."""


def compute_results(clips: ScoredClips) -> Results:
    """Return the figures of all scores; those of detectors include the margin.

    The margin is the detector minus the best baseline on these clips, by the same figure.
    """
    ranked = RankedClips(
        clips.labels, clips.groups, clips.sources, folds=clips.folds, videos=clips.videos
    )
    compute = partial(compute_figures, clips=ranked)
    baselines = {BASELINE + name: scores for name, scores in clips.baselines.items()}
    found: Results = {name: compute(scores, intervals=False) for name, scores in baselines.items()}
    best = _find_best_baselines(found)
    found |= {name: compute(baselines[name]) for name in _select_baselines(found)}
    for name, of_seeds in clips.trained.items():
        scores = np.stack(list(of_seeds.values()))
        found[name] = compute(scores, clips=dataclasses.replace(ranked, methods=clips.methods))
        for what, margin in ((AUC, AUC_MARGIN), (PAIRS, PAIRS_MARGIN)):
            if what in best:
                compared = compute(scores, against=baselines[best[what]])
                found[name][margin] = compared[margin]
    return found


def _find_best_baselines(found: Results) -> dict[str, str]:
    """Return the names of the best baseline by AUC and by pair ranking.

    They are selected on the test clips themselves, an advantage that detectors do not have; margins
    are therefore conservative.
    """
    return {
        what: max(names, key=lambda name: found[name][what].value)
        for what in (AUC, PAIRS)
        if (names := [one for one in found if one.startswith(BASELINE) and what in found[one]])
    }


def build_table(clips: ScoredClips, found: Results) -> Table:
    """Return a table with a row a score: detectors, then the best baselines."""
    title = f"{clips.title}: {clips.size}; margin over the best baseline"
    shown = Table(title=title, title_justify="left")
    shown.add_column("score")
    shown.add_column("seeds", justify="right")
    for column in ("AUC", "pair ranking", "AUC margin", "pair ranking margin"):
        shown.add_column(column)
    for name in clips.trained:
        cells = [format_figure(found[name].get(key)) for key in (AUC, PAIRS)]
        cells += [format_figure(found[name].get(key), "+") for key in (AUC_MARGIN, PAIRS_MARGIN)]
        shown.add_row(name, str(len(clips.trained[name])), *cells)
    for name in _select_baselines(found):
        shown.add_row(name, "", *(format_figure(found[name].get(key)) for key in (AUC, PAIRS)))
    return shown


def _select_baselines(found: Results) -> list[str]:
    """Return the baselines to show: the best by AUC, and the best by pair ranking."""
    names = [name for name in found if name.startswith(BASELINE)]
    by_auc = sorted(names, key=lambda name: -found[name][AUC].value)[:SHOWN_BASELINES]
    ranked = [name for name in names if PAIRS in found[name]]
    by_pairs = sorted(ranked, key=lambda name: -found[name][PAIRS].value)[:1]
    return list(dict.fromkeys([*by_auc, *by_pairs]))


def build_methods_table(clips: ScoredClips, found: Results) -> Table | None:
    """Return the AUC of each detector on each method; ``None`` for a single method."""
    methods = np.unique(clips.methods[clips.labels == 1]).tolist()
    if len(methods) < 2 or not clips.trained:
        return None
    shown = Table(title=f"{clips.title}: AUC by method", title_justify="left")
    shown.add_column("detector")
    for method in methods:
        shown.add_column(method)
    for name in clips.trained:
        shown.add_row(name, *(format_figure(found[name][f"auc of {method}"]) for method in methods))
    return shown


def build_held_out_table(held_out: Mapping[str, Mapping[str, ScoredClips]]) -> Table:
    """Return a table with a row for each held-out method and detector.

    Args:
        held_out: Test sets by method and kind (:data:`KINDS`).
    """
    shown = Table(title="each method held out of training; tested on its fakes and their reals")
    for column in ("method", "detector", "seeds", "clips"):
        shown.add_column(column)
    for kind in KINDS:
        for column in ("AUC", "pair ranking", "best baseline AUC"):
            shown.add_column(column if kind == CLIPS else f"{column}, matched")
    for method, kinds in held_out.items():
        found = {kind: compute_results(clips) for kind, clips in kinds.items()}
        for name, of_seeds in (kinds[CLIPS].trained if CLIPS in kinds else {}).items():
            cells = [method, name, str(len(of_seeds)), str(len(kinds[CLIPS].labels))]
            for kind in KINDS:
                ours = found.get(kind, {}).get(name, {})
                best = _find_best_baselines(found[kind])[AUC] if kind in found else ""
                cells += [format_figure(ours.get(AUC)), format_figure(ours.get(PAIRS))]
                cells.append(format_figure(found[kind][best][AUC]) if best else "-")
            shown.add_row(*cells)
    return shown


def describe(clips: ScoredClips, found: Results) -> list[str]:
    """Return a sentence for each margin that has an interval."""
    return [
        f"{name}, {what} on {clips.title}: {_describe_margin(figure.value, figure.interval)}."
        for name in clips.trained
        for key, what in ((AUC_MARGIN, "AUC"), (PAIRS_MARGIN, "pair ranking"))
        if (figure := found[name].get(key)) is not None and figure.interval is not None
    ]


def _describe_margin(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    if low > 0:
        verdict = "significantly better than the best baseline"
    elif high < 0:
        verdict = "significantly worse than the best baseline"
    else:
        verdict = "not significantly different from the best baseline"
    return f"margin {value:+.2f} (95% CI {low:+.2f} to {high:+.2f}), {verdict}"
