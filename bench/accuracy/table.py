"""What ``bench.accuracy`` says: its figures, their tables, and sentences made of them."""

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
    AUC_AHEAD,
    PAIRS,
    PAIRS_AHEAD,
    Figure,
    Scores,
    figures,
    source_places,
)
from bench.accuracy import people
from bench.accuracy.untrained import signs, untrained_scores
from bench.shared.cells import cell
from data_prep.store.store import Store

CLIPS, MATCHED = KINDS = "clips", "matched pairs"
UNTRAINED = "untrained "
SHOWN_UNTRAINED = 3
"""No-training scores in a table beside the best: those best by AUC."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """The clips of a test set, plain or matched, and every score of them.

    Attributes:
        title: for the table.
        labels, groups, sources, methods, folds, videos: (N,), as
            :func:`artifacts.metrics.ranking.figures` takes them.
        untrained: scores that need no training, (N,) each, by name.
        trained: of each detector by name, and of each seed, scores (N,).
        synthetic: whether the clips are drawn.
    """

    title: str
    labels: npt.NDArray[np.integer]
    groups: npt.NDArray[np.str_]
    sources: npt.NDArray[np.int64]
    methods: npt.NDArray[np.str_]
    folds: npt.NDArray[np.integer]
    videos: npt.NDArray[np.str_]
    untrained: dict[str, Scores]
    trained: dict[str, dict[int, Scores]]
    synthetic: bool

    @property
    def size(self) -> str:
        """How many clips, pairs and groups of people."""
        reals, fakes = int((self.labels == 0).sum()), int((self.labels == 1).sum())
        people = len(np.unique(self.groups))
        return (
            f"{reals} real, {fakes} fake, {int((self.sources >= 0).sum())} of them with their "
            f"original, {people} {'group' if people == 1 else 'groups'} of people"
            + (", SYNTHETIC" if self.synthetic else "")
        )


def judged(
    title: str, path: Path, train: Path, trained: Mapping[str, Mapping[int, Sequence[float]]]
) -> Judged:
    """The tested clips of a store with every score.

    Args:
        title: for the table.
        path: of the store.
        train: the store the signs of the no-training scores are from.
        trained: of each detector and seed, the scores.
    """
    with Store(train) as store:
        turned = signs(store)
    with Store(path) as store:
        rows, _ = people.tested_rows(store)
        return Judged(
            title,
            store.labels[rows],
            people.people_of(store, rows),
            source_places(store.keys[rows], store.crop_sources[rows]),
            store.methods[rows],
            np.zeros(len(rows), np.int64),
            store.paths[rows],
            untrained_scores(store, rows, turned),
            {
                name: {seed: np.array(scores) for seed, scores in of_seeds.items()}
                for name, of_seeds in trained.items()
            },
            store.is_synthetic,
        )


def together(title: str, parts: Sequence[Judged], *, apart: bool = False) -> Judged:
    """Several test sets as one, with those trainings that have scored all of them.

    Args:
        title: for the table.
        parts: at least one.
        apart: each part was scored by a detector of its own.
    """
    sizes = [len(part.labels) for part in parts]
    starts = np.cumsum([0, *sizes[:-1]])
    sources = [
        np.where(part.sources >= 0, part.sources + start, -1)
        for part, start in zip(parts, starts, strict=True)
    ]
    first = parts[0]
    quantities = [name for name in first.untrained if all(name in p.untrained for p in parts)]
    trained = {
        name: {
            seed: np.concatenate([part.trained[name][seed] for part in parts])
            for seed in of_seeds
            if all(seed in part.trained.get(name, ()) for part in parts)
        }
        for name, of_seeds in first.trained.items()
    }
    return Judged(
        title,
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.groups for part in parts]),
        np.concatenate(sources),
        np.concatenate([part.methods for part in parts]),
        np.repeat(np.arange(len(parts)) if apart else 0, sizes if apart else sum(sizes)),
        np.concatenate([part.videos for part in parts]),
        {name: np.concatenate([part.untrained[name] for part in parts]) for name in quantities},
        {name: of_seeds for name, of_seeds in trained.items() if of_seeds},
        any(part.synthetic for part in parts),
    )


Results = dict[str, dict[str, Figure]]
"""Figures of every score of a test set, by its name and theirs."""


def results(clips: Judged) -> Results:
    """Figures of all scores, the detectors' beside the best no-training score.

    The no-training score that is best on these very clips, by each figure, is what detectors are
    compared with.
    """
    told = partial(
        figures,
        labels=clips.labels,
        groups=clips.groups,
        sources=clips.sources,
        folds=clips.folds,
        videos=clips.videos,
    )
    untrained = {UNTRAINED + name: scores for name, scores in clips.untrained.items()}
    found: Results = {name: told(scores, intervals=False) for name, scores in untrained.items()}
    baselines = _best(found)
    found |= {name: told(untrained[name]) for name in _leading(found)}
    for name, of_seeds in clips.trained.items():
        scores = np.stack(list(of_seeds.values()))
        found[name] = told(scores, methods=clips.methods)
        for what, ahead in ((AUC, AUC_AHEAD), (PAIRS, PAIRS_AHEAD)):
            if what in baselines:
                compared = told(scores, against=untrained[baselines[what]])
                found[name][ahead] = compared[ahead]
    return found


def _best(found: Results) -> dict[str, str]:
    """Names of the no-training score best by AUC and of the one best by pair ranking.

    They are the best on the very clips they are judged on, which is more than a detector is given:
    a difference to them is a cautious one.
    """
    return {
        what: max(names, key=lambda name: found[name][what].value)
        for what in (AUC, PAIRS)
        if (names := [one for one in found if one.startswith(UNTRAINED) and what in found[one]])
    }


def table(clips: Judged, found: Results) -> Table:
    """A line a score: detectors, then the best that needs no training."""
    title = f"{clips.title}: {clips.size}; ahead of the best score without training"
    shown = Table(title=title, title_justify="left")
    shown.add_column("score")
    shown.add_column("seeds", justify="right")
    for column in ("AUC", "pair ranking", "AUC ahead", "pair ranking ahead"):
        shown.add_column(column)
    for name in clips.trained:
        cells = [cell(found[name].get(key)) for key in (AUC, PAIRS)]
        cells += [cell(found[name].get(key), "+") for key in (AUC_AHEAD, PAIRS_AHEAD)]
        shown.add_row(name, str(len(clips.trained[name])), *cells)
    for name in _leading(found):
        shown.add_row(name, "", *(cell(found[name].get(key)) for key in (AUC, PAIRS)))
    return shown


def _leading(found: Results) -> list[str]:
    """The no-training scores to show: the best by AUC, and the best by pair ranking."""
    names = [name for name in found if name.startswith(UNTRAINED)]
    by_auc = sorted(names, key=lambda name: -found[name][AUC].value)[:SHOWN_UNTRAINED]
    ranked = [name for name in names if PAIRS in found[name]]
    by_pairs = sorted(ranked, key=lambda name: -found[name][PAIRS].value)[:1]
    return list(dict.fromkeys([*by_auc, *by_pairs]))


def methods_table(clips: Judged, found: Results) -> Table | None:
    """AUC of each detector on each method; None where there is one method alone."""
    methods = np.unique(clips.methods[clips.labels == 1]).tolist()
    if len(methods) < 2 or not clips.trained:
        return None
    shown = Table(title=f"{clips.title}: AUC by method", title_justify="left")
    shown.add_column("detector")
    for method in methods:
        shown.add_column(method)
    for name in clips.trained:
        shown.add_row(name, *(cell(found[name][f"auc of {method}"]) for method in methods))
    return shown


def held_out_table(held_out: Mapping[str, Mapping[str, Judged]]) -> Table:
    """A line a method and detector trained without it: clips and matched pairs beside each other.

    Args:
        held_out: of each method the clips by :data:`KINDS`.
    """
    shown = Table(title="each method held out of training, its fakes and their reals tested")
    for column in ("method", "detector", "seeds", "clips"):
        shown.add_column(column)
    for kind in KINDS:
        for column in ("AUC", "pair ranking", "best untrained AUC"):
            shown.add_column(column if kind == CLIPS else f"{column}, matched")
    for method, kinds in held_out.items():
        found = {kind: results(clips) for kind, clips in kinds.items()}
        for name, of_seeds in (kinds[CLIPS].trained if CLIPS in kinds else {}).items():
            cells = [method, name, str(len(of_seeds)), str(len(kinds[CLIPS].labels))]
            for kind in KINDS:
                ours = found.get(kind, {}).get(name, {})
                best = _best(found[kind])[AUC] if kind in found else ""
                cells += [cell(ours.get(AUC)), cell(ours.get(PAIRS))]
                cells.append(cell(found[kind][best][AUC]) if best else "-")
            shown.add_row(*cells)
    return shown


def sentences(clips: Judged, found: Results) -> list[str]:
    """What the figures that have an interval say of each detector beside no training."""
    return [
        f"{name}, {what} on {clips.title}: {_standing(figure.value, figure.interval)}."
        for name in clips.trained
        for key, what in ((AUC_AHEAD, "AUC"), (PAIRS_AHEAD, "pair ranking"))
        if (figure := found[name].get(key)) is not None and figure.interval is not None
    ]


def _standing(value: float, interval: tuple[float, float]) -> str:
    against = "the best score without training"
    low, high = interval
    told = f"{value:+.2f}, interval {low:+.2f} to {high:+.2f}"
    if low > 0 or high < 0:
        return f"{told}: {'above' if low > 0 else 'below'} {against}"
    return f"{told}, which includes zero: not told from {against}"
