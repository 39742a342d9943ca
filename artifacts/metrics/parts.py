"""Figures of a part of the scored videos: of one manipulation method, one quality, one codec."""

from __future__ import annotations

from typing import Any

import numpy as np

from artifacts.metrics.measures import Measured, compute_measures
from artifacts.metrics.per_video import ScoredClips

_OF_A_METHOD = ("auc", "recall")
_OF_A_KIND = ("auc", "recall", "false_alarm_rate")


def measure_methods(
    scored: ScoredClips, threshold: float, whole: Measured, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Of each method of the fakes: videos, AUC against all reals, recall, intervals, and bounds.

    Args:
        scored: videos; without a real there is no AUC: None.
        threshold: at and above it a video is called fake.
        whole: figures of them all, which are those of a method that is alone.
        seed: of the bootstrap.
    """
    fake = scored.labels == 1
    found = {}
    for method in sorted(set(scored.methods[fake].tolist())):
        ours = (scored.methods == method) & fake
        chosen = ours | ~fake
        figures = whole if chosen.all() else _figures(scored.select(chosen), threshold, seed)
        found[method] = {"videos": int(ours.sum())} | _named(figures, _OF_A_METHOD)
    return found


def measure_kinds(
    scored: ScoredClips, kind: str, threshold: float, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Of each quality, codec or what else is known: counts and figures.

    These are AUC, recall and false alarm rate, with intervals, and bounds.

    Args:
        scored: videos.
        kind: name of :attr:`ScoredClips.kinds`.
        threshold: at and above it a video is called fake.
        seed: of the bootstrap.

    Returns:
        None of a figure where a label lacks; nothing at all where all videos are of one kind.
    """
    values = scored.kinds.get(kind)
    if values is None or len(np.unique(values)) < 2:
        return {}
    found = {}
    for value in np.unique(values).tolist():
        chosen = scored.select(values == value)
        figures = _figures(chosen, threshold, seed)
        fakes = int((chosen.labels == 1).sum())
        counts = {"videos": len(chosen.labels), "reals": len(chosen.labels) - fakes}
        found[value] = counts | {"fakes": fakes} | _named(figures, _OF_A_KIND)
    return found


def _figures(scored: ScoredClips, threshold: float, seed: int) -> Measured:
    return compute_measures(scored.labels, scored.probabilities, scored.groups, threshold, seed)


def _named(figures: Measured, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: figures.values.get(name) for name in names}
    edges = {f"{name}_ci": figures.intervals.get(name) for name in names}
    bounds = {name: figures.bounds[name] for name in names if name in figures.bounds}
    return values | edges | {"bounds": bounds}
